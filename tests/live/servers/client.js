// SPDX-License-Identifier: Apache-2.0
// A node client with a keep-alive agent. argv: the port, and [[method, path, writes, headers], ...] as JSON.
// A body goes out in `writes` pieces. Prints `METHOD PATH STATUS` an answer.
'use strict';
const http = require('http');

const port = Number(process.argv[2]);
const requests = JSON.parse(process.argv[3]);
const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });

function pieces(request, left) {
	if (!left)
		return request.end();
	request.write('piece of a body\n');
	setTimeout(pieces, 2, request, left - 1);
}

function send([method, path, writes, headers]) {
	return new Promise((resolve, reject) => {
		const options = { agent, port, host: '127.0.0.1', method, path, headers };
		const request = http.request(options, (response) => {
			response.on('end', () => {
				console.log(method, path, response.statusCode);
				resolve();
			});
			response.resume();
		});
		request.on('error', reject);
		pieces(request, writes || 0);
	});
}

async function main() {
	const half = Math.ceil(requests.length / 2);
	const run = async (part) => { for (const request of part) await send(request); };
	await Promise.all([run(requests.slice(0, half)), run(requests.slice(half))]);
	agent.destroy();
}

main();
