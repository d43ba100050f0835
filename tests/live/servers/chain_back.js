// SPDX-License-Identifier: Apache-2.0
// The last service of a chain: answers after a few milliseconds, so that several wait at once.
'use strict';
const http = require('http');

const server = http.createServer((request, response) => {
	setTimeout(() => response.end('fine\n'), 5);
});
server.keepAliveTimeout = 30000;
server.listen(Number(process.argv[2]), '0.0.0.0');
