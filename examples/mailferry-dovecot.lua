-- SPDX-License-Identifier: ISC
-- mailferry-dovecot.lua - passdb and userdb of driver lua that ask mailferry-mapd
--
-- For Dovecot 2.4, which has no dict userdb any more; see mailferry-dovecot(5).  Needs
-- LuaSocket (Debian: lua-socket).  The tests run it in 2.3.19, with `two_three = true`.
local two_three = false
local socket_path = "/run/mailferry/dict.sock"
local seconds = 5

local unix = require "socket.unix"

-- The answer's first letter and its rest; F where mailferry-mapd does not answer.
local function ask(key)
  local s = (type(unix) == "table" and unix.stream or unix)()
  s:settimeout(seconds)
  local ok, why = s:connect(socket_path)
  if ok then ok, why = s:send("H3\t2\t0\t\tlua\nL" .. key .. "\n") end
  local line
  if ok then line, why = s:receive("*l") end
  s:close()
  if not line then return "F", "mailferry-mapd: " .. tostring(why) end
  return line:sub(1, 1), line:sub(2)
end

-- One text of the JSON object that mailferry-mapd writes, or nil.
local function text(json, name)
  local _, at = json:find('"' .. name .. '":"', 1, true)
  if not at then return nil end
  local out = ""
  while true do
    at = at + 1
    local c = json:sub(at, at)
    if c == '"' or c == "" then return out end
    if c == "\\" then
      at = at + 1
      c = json:sub(at, at)
    end
    out = out .. c
  end
end

-- maildir:PATH[:CONTROL=PATH][:INDEX=PATH]; a colon within a path is doubled.
local function location(mail)
  local fields, part = { mail_driver = "maildir" }, {}
  mail = mail:gsub("::", "\1")
  for word in mail:gmatch("[^:]+") do
    part[#part + 1] = (word:gsub("\1", ":"))
  end
  fields.mail_path = part[2]
  for i = 3, #part do
    local name, path = part[i]:match("^(%u+)=(.*)$")
    if name == "CONTROL" then fields.mail_control_path = path end
    if name == "INDEX" then fields.mail_index_path = path end
  end
  return fields
end

function auth_passdb_lookup(req)
  if req.user:find("%c") then return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "" end
  local letter, rest = ask("shared/passdb/" .. req.user)
  if letter == "O" then return dovecot.auth.PASSDB_RESULT_NEXT, "" end
  if letter == "N" then return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, "" end
  return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, rest
end

function auth_userdb_lookup(req)
  if req.user:find("%c") then return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "" end
  local letter, rest = ask("shared/userdb/" .. req.user)
  if letter == "N" then return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, "" end
  local mail = letter == "O" and text(rest, "mail")
  if not mail then return dovecot.auth.USERDB_RESULT_INTERNAL_FAILURE, rest end
  return dovecot.auth.USERDB_RESULT_OK, two_three and { mail = mail } or location(mail)
end
