// SPDX-License-Identifier: Apache-2.0
// As calls.py, on Node's event loop with a pool of connections. Prints its port.
'use strict';
const http = require('http');

const { PREFIX, ORIGIN, TIMER } = process.env;
const agent = new http.Agent({ keepAlive: true });

function ask(path, then) {
	http.get({ agent, port: ORIGIN, host: '127.0.0.1', path: PREFIX + path }, (answer) => {
		answer.resume();
		answer.on('end', then);
	});
}

const server = http.createServer((request, response) => {
	const [kind, number] = request.url.slice(PREFIX.length + 1).split('/');
	if (kind !== 'tail')
		return ask(`/b/${number}`, () => response.end('fine\n'));
	response.end('fine\n');
	response.on('finish', () => setImmediate(ask, `/after/${number}`, () => {}));
});
server.keepAliveTimeout = 30000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
let number = 0;
if (TIMER)
	setInterval(() => ask(`/t/${number++}`, () => {}), TIMER * 1000);
