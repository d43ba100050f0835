// SPDX-License-Identifier: Apache-2.0
// A WebSocket server or client on Node's ws, which does as websocket_peer.py does. Compression only
// with argv[3] = compression; then bytes are those before it, not those on the wire.
'use strict';
const readline = require('readline');
const WebSocket = require('ws');

const role = process.argv[2];
const other = { server: 'client', client: 'server' }[role];
const compression = process.argv[3] === 'compression';
const counts = {};
const connections = new Set();

function add(name, n = 1) {
	counts[name] = (counts[name] || 0) + n;
}

function message(direction, type, size) {
	add(`messages ${direction} ${type}`);
	add(`bytes ${direction} ${type}`, size);
}

function say(socket, body, isBinary) {
	socket.send(body, { binary: isBinary });
	message('sent', isBinary ? 'binary' : 'text', body.length);
}

// A close frame that comes is answered by ws itself, with the same code and reason.
function over(socket, code, reason) {
	const size = code === 1005 ? 0 : 2 + reason.length;
	connections.delete(socket);
	add('open', -1);
	if (code !== 1006) {
		message('sent', 'close', size);
		message('received', 'close', size);
	}
	const initiator = socket.closedHere ? role : other;
	add(code === 1006 ? 'closed 1006' : `closed ${code} ${initiator}`);
}

function opened(socket) {
	connections.add(socket);
	add('opened');
	add('open');
	socket.on('message', (body, isBinary) => {
		message('received', isBinary ? 'binary' : 'text', body.length);
		if (role === 'server')
			say(socket, body, isBinary);
	});
	socket.on('ping', (body) => {
		message('received', 'ping', body.length);
		message('sent', 'pong', body.length);
	});
	socket.on('pong', (body) => {
		message('received', 'pong', body.length);
		add('rtt');
	});
	socket.on('close', (code, reason) => over(socket, code, reason));
	socket.on('error', () => {});
}

const once = (socket, event) => new Promise((resolve) => socket.once(event, resolve));

async function until(question) {
	while (!question())
		await new Promise((resolve) => setTimeout(resolve, 5));
}

async function echoed(socket, body, isBinary) {
	const answer = once(socket, 'message');
	say(socket, body, isBinary);
	const [got] = [await answer];
	if (!got.equals(body))
		throw new Error('the echo is not what was said');
}

async function talk(socket, words) {
	for (const size of words.texts || [])
		await echoed(socket, Buffer.alloc(size, 't'), false);
	for (const size of words.binaries || [])
		await echoed(socket, Buffer.alloc(size, 'b'), true);
	for (let n = 0; n < (words.pings || 0); n++) {
		const pong = once(socket, 'pong');
		const body = Buffer.from(`ping ${n}`);
		socket.ping(body);
		message('sent', 'ping', body.length);
		await pong;
	}
}

async function open(words) {
	for (let n = 0; n < (words.count || 1); n++) {
		const options = { headers: words.headers || {}, perMessageDeflate: compression };
		const socket = new WebSocket(words.url, words.subprotocols || [], options);
		await new Promise((resolve) => {
			socket.once('open', () => { opened(socket); resolve(); });
			socket.once('error', () => { if (!connections.has(socket)) add('failed'); resolve(); });
		});
	}
}

async function close(words) {
	const chosen = [...connections].slice(0, words.count);
	for (const socket of chosen) {
		socket.closedHere = true;
		if (words.code === 1005)
			socket.close();
		else
			socket.close(words.code || 1000, words.reason || '');
	}
	await until(() => chosen.every((socket) => !connections.has(socket)));
}

const commands = {
	open,
	close,
	talk: (words) => Promise.all([...connections].map((socket) => talk(socket, words))),
	wait: (words) => until(() => connections.size === (words.open || 0)),
	terminate: () => connections.forEach((socket) => socket.terminate()),
	report: () => {},
};

async function obey() {
	for await (const line of readline.createInterface({ input: process.stdin })) {
		const words = JSON.parse(line);
		await commands[words.do](words);
		console.log(JSON.stringify({ counts }));
	}
	process.exit(0);
}

function serve() {
	const options = {
		host: '127.0.0.1',
		port: 0,
		perMessageDeflate: compression,
		verifyClient: (info, done) => {
			const refused = info.req.url.endsWith('/refused');
			if (refused)
				add('failed');
			done(!refused, 403);
		},
	};
	const server = new WebSocket.Server(options, () => console.log(server.address().port));
	server.on('connection', opened);
}

if (role === 'server')
	serve();
obey();
