// SPDX-License-Identifier: Apache-2.0
// A node server with every way to end a body. Prints its port; logs `METHOD PATH STATUS SIZE` to
// the file argv[2].
'use strict';
const fs = require('fs');
const http = require('http');

const log = fs.openSync(process.argv[2], 'a');

function chunks(response, left) {
	if (!left)
		return response.end('last\n');
	response.write(`chunk ${left}\n`);
	setTimeout(chunks, 2, response, left - 1);
}

const answers = {
	length: (response) => {
		response.setHeader('Content-Length', 5);
		response.end('fine\n');
	},
	chunked: (response) => chunks(response, 4),
	empty: (response) => response.end(),
	close: (response) => {
		response.useChunkedEncodingByDefault = false;
		response.shouldKeepAlive = false;
		chunks(response, 3);
	},
};
const statuses = { 204: 'empty', 304: 'empty' };

function answer(request, response, size) {
	const word = request.url.split('/')[2];
	const status = Number(word) || 200;
	fs.writeSync(log, `${request.method} ${request.url} ${status} ${size}\n`);
	response.statusCode = status;
	(answers[statuses[status] || word] || answers.length)(response);
}

const server = http.createServer((request, response) => {
	let size = 0;
	request.on('data', (bytes) => { size += bytes.length; });
	request.on('end', () => answer(request, response, size));
});
server.keepAliveTimeout = 30000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
