// SPDX-License-Identifier: Apache-2.0
// A WebSocket echo server on Node's ws. Prints its port.
'use strict';
const WebSocket = require('ws');

const server = new WebSocket.Server({ host: '127.0.0.1', port: 0 });
server.on('connection', (socket) => {
	socket.on('message', (message, binary) => socket.send(message, { binary }));
	socket.on('error', () => {});
});
server.on('listening', () => console.log(server.address().port));
