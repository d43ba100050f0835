# SPDX-License-Identifier: Apache-2.0
"""A small API server: list and watch of pods over HTTPS, as the Kubernetes API has them.

It keeps pods and a history of changes, each with a resourceVersion. Lists come in pages (limit,
continue), unless they are asked from memory (resourceVersion=0); a watch tells what came after a
version, then bookmarks, and is over after timeoutSeconds. A version that is older than the history
is 410. It serves only who shows the token, and only fields of spec.nodeName.

What it does wrong is a `fault`, a function of the handler that answers in its place, for as long as
it is set. `asked` has the path of each request.
"""

import contextlib
import http.server
import json
import pathlib
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

BOOKMARK = 0.5  # seconds between bookmarks


def make_account(folder, token):
    """A CA, a server's certificate of it, and the folder that a service account has."""
    folder = pathlib.Path(folder)
    account = folder / "account"
    account.mkdir(parents=True)

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "account/ca.crt", "-subj", "/CN=ca")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("req", *key[:-2], "-keyout", "key", "-out", "request", "-subj", "/CN=api")
    signer = ("-CA", "account/ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    openssl("x509", "-req", "-in", "request", *signer, "-extfile", "names", "-out", "certificate")
    (account / "token").write_text(token)
    return account


def pod_object(pod, started=True):
    """A pod of test_pods.Cluster.pod() as the API shows it, with fields that nobody asked for."""
    names = pod["containers"]
    statuses = [{"name": name, "ready": True} for name in names]
    if started:
        statuses[-1]["containerID"] = f"containerd://{pod['id']}"
    meta = {
        "name": pod["pod"],
        "namespace": pod["namespace"],
        "uid": pod["uid"],
        "labels": pod.get("labels", {}),
        "annotations": {"note": 'odd: "}],{\\ \n'},
        "managedFields": [{"manager": "kubelet", "fieldsV1": {"f:status": {}}}],
    }
    if "owner" in pod:
        kind, name = pod["owner"]
        meta["ownerReferences"] = [{"kind": kind, "name": name, "uid": "1", "controller": True}]
    return {
        "metadata": meta,
        "spec": {
            "nodeName": pod.get("node_name", "node-a"),
            "containers": [{"name": name} for name in names],
        },
        "status": {"phase": "Running", "containerStatuses": statuses},
    }


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        api = self.server.api
        with contextlib.suppress(OSError):
            api.asked.append(self.path)
            fault = api.fault
            if fault:
                fault(self)
                self.close_connection = True
            elif self.headers["Authorization"] != f"Bearer {api.token}":
                self.status(401, "Unauthorized")
            else:
                self.answer(api)

    def answer(self, api):
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        field, _, node = query.get("fieldSelector", "").partition("=")
        if url.path != "/api/v1/pods" or field != "spec.nodeName":
            self.status(403, "only pods of one node may be asked for")
        elif query.get("watch") == "true":
            self.watch(api, node, query)
        else:
            self.list(api, node, query)

    def status(self, code, message):
        body = json.dumps({"kind": "Status", "code": code, "message": message}).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def list(self, api, node, query):
        with api.changed:
            if "continue" in query:
                version, _, first = query["continue"].partition("/")
            else:
                version, first = str(api.version), "0"
            pods = api.of_node(node)
            oldest = api.oldest
        if int(version) < oldest:
            return self.status(410, "the token of this list is too old")
        limit = len(pods) if query.get("resourceVersion") == "0" else int(query.get("limit", 500))
        limit = api.page or limit
        end = int(first) + limit
        meta = {"resourceVersion": version}
        if end < len(pods):
            meta["continue"] = f"{version}/{end}"
        items = pods[int(first) : end]
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": meta, "items": items}
        body = (json.dumps(body) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.send(api, body)

    def send(self, api, body):
        """As fast as it goes, or in small pieces."""
        size = api.piece or len(body)
        for at in range(0, len(body), size):
            self.wfile.write(body[at : at + size])
            self.wfile.flush()
            time.sleep(api.pause)

    def watch(self, api, node, query):
        version = int(query["resourceVersion"])
        if version < api.oldest:
            return self.status(410, "too old resource version")
        self.begin_stream()
        end = time.monotonic() + int(query.get("timeoutSeconds", 60))
        while time.monotonic() < end and not api.closing and api.fault is None:
            events, version = api.wait_after(version, node)
            if version < api.oldest:
                events = [{"type": "ERROR", "object": {"kind": "Status", "code": 410}}]
            for event in events:
                self.event(api, event)
            if not events:
                mark = {"kind": "Pod", "metadata": {"resourceVersion": str(version)}}
                self.event(api, {"type": "BOOKMARK", "object": mark})
        self.wfile.write(b"0\r\n\r\n")

    def begin_stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def event(self, api, event):
        line = (json.dumps(event) + "\n").encode()
        size = api.piece or len(line)
        for at in range(0, len(line), size):
            self.chunk(line[at : at + size])
            time.sleep(api.pause)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address, context):
        super().__init__(address, Handler)
        self.context = context
        self.open = set()

    def finish_request(self, request, client):
        with contextlib.suppress(OSError):
            with self.context.wrap_socket(request, server_side=True) as secured:
                self.open.add(secured)
                try:
                    super().finish_request(secured, client)
                finally:
                    self.open.discard(secured)

    def handle_error(self, request, client):
        pass


class Api:
    """The pods of a cluster and their server. `piece` and `pause` make it slow."""

    def __init__(self, folder, token="token-1"):
        self.token = token
        folder = pathlib.Path(folder)
        self.account = make_account(folder, token)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "certificate", folder / "key")
        self.changed = threading.Condition()
        self.pods, self.history = {}, []
        self.version, self.oldest = 1, 0
        self.fault, self.piece, self.pause, self.page = None, 0, 0, 0
        self.asked, self.closing, self.server, self.port = [], False, None, 0

    def start(self):
        """Also again after stop(), then on the same port."""
        self.closing = False
        self.server = Server(("127.0.0.1", self.port), self.context)
        self.server.api = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens on the port any more, and what was open breaks off."""
        if not self.server:
            return
        self.closing = True
        self.server.shutdown()
        self.server.server_close()
        self.cut()
        self.server = None

    def cut(self):
        """Every connection breaks off where it is."""
        for connection in list(self.server.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def agent_options(self):
        return ["--kube=api", f"--kube-account={self.account}", "--node=node-a"]

    def agent_environment(self):
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}

    def renew_token(self, token):
        """As the kubelet does: the old one is worth nothing."""
        self.token = token
        new = self.account / "token.new"
        new.write_text(token)
        new.rename(self.account / "token")

    def change(self, kind, pod):
        with self.changed:
            self.version += 1
            pod["metadata"]["resourceVersion"] = str(self.version)
            uid = pod["metadata"]["uid"]
            if kind == "DELETED":
                self.pods.pop(uid, None)
            else:
                kind = "MODIFIED" if uid in self.pods else "ADDED"
                self.pods[uid] = pod
            self.history.append((self.version, {"type": kind, "object": pod}))
            self.changed.notify_all()

    def put(self, pod, started=True):
        self.change("ADDED", pod_object(pod, started))

    def delete(self, pod):
        self.change("DELETED", pod_object(pod))

    def forget_history(self):
        """All versions until now are too old: 410 for who resumes from them."""
        with self.changed:
            self.version += 1
            self.oldest = self.version
            self.history.clear()
            self.changed.notify_all()

    def of_node(self, node):
        pods = sorted(self.pods.values(), key=lambda pod: pod["metadata"]["uid"])
        return [pod for pod in pods if pod["spec"]["nodeName"] == node]

    def wait_after(self, version, node):
        with self.changed:
            if self.version <= version:
                self.changed.wait(BOOKMARK)
            events = [event for number, event in self.history if number > version]
            events = [e for e in events if e["object"]["spec"]["nodeName"] == node]
            return events, self.version if version >= self.oldest else version
