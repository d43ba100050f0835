-- SPDX-License-Identifier: Apache-2.0
-- Mixed methods and paths. Counts what it sent and what it got; done() prints it, as lines
-- `sent METHOD PATH COUNT` and `got METHOD PATH STATUS COUNT`. nginx says in headers which
-- request an answer belongs to.

local threads = {}
local methods = { "GET", "POST", "DELETE" }
local places = { "ok", "ok", "ok", "missing", "ok", "broken", "ok" }

function setup(thread)
	table.insert(threads, thread)
	thread:set("number", #threads)
end

function init(args)
	prefix = args[1]
	turn = 0
	sent = {}
	got = {}
	-- wrk asks the first thread once for a request that it never sends
	trial = number == 1
end

local function add(counts, key)
	counts[key] = (counts[key] or 0) + 1
end

function request()
	turn = turn + 1
	local method = methods[turn % #methods + 1]
	local path = prefix .. "/" .. places[turn % #places + 1] .. "/" .. turn % 1000
	if trial then
		trial = false
	else
		add(sent, method .. " " .. path)
	end
	return wrk.format(method, path, nil, method == "POST" and "body=1" or nil)
end

function response(status, headers)
	add(got, headers["X-Method"] .. " " .. headers["X-Path"] .. " " .. status)
end

function done(summary)
	for _, thread in ipairs(threads) do
		for key, count in pairs(thread:get("sent")) do
			print("sent " .. key .. " " .. count)
		end
		for key, count in pairs(thread:get("got")) do
			print("got " .. key .. " " .. count)
		end
	end
	print("summary " .. summary.requests)
end
