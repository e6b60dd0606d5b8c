-- libmpr from LuaJIT with its ffi and nothing else: one request, recorded.
--
--   mpr-local &                                                  # the local recorder; export the three lines that it prints
--   MPR_LIBRARY=/usr/local/lib/libmpr.so.0 luajit first.lua      # without MPR_LIBRARY the system looks for it
--
-- In OpenResty: mpr_init() in init_worker_by_lua, and mpr_start_async() rather than mpr_start(), which waits for the network.
-- Nothing else here waits. No callback is used, so all of it may be compiled by the JIT.

local ffi = require("ffi")

-- The functions used here, as include/mpr.h declares them.
ffi.cdef[[
typedef struct mpr_options mpr_options;
typedef struct mpr_span mpr_span;
typedef struct { uint8_t trace_id[16], span_id[8], trace_flags, reserved[7]; } mpr_span_context;
const char *mpr_last_error(void);
int32_t mpr_init(mpr_options *options);
int32_t mpr_start(int32_t session_type, const char *session_json);
int32_t mpr_stop(const char *session_json);
int32_t mpr_session_info(char *json, size_t capacity, size_t *needed);
int32_t mpr_shutdown(uint32_t timeout_ms);
mpr_span *mpr_span_begin(const char *name, int32_t kind, const mpr_span_context *parent);
int32_t mpr_span_get_context(const mpr_span *span, mpr_span_context *context);
int32_t mpr_span_capture_payload(mpr_span *span, int32_t kind, const char *headers, size_t headers_len,
                                 const uint8_t *body, size_t body_len);
int32_t mpr_span_record_exception(mpr_span *span, const char *type, const char *message, const char *stacktrace);
int32_t mpr_log(int32_t severity_number, const char *body, size_t len, const char *attributes_json,
                const mpr_span_context *context);
void mpr_span_end(mpr_span *span);
]]
local mpr = ffi.load(os.getenv("MPR_LIBRARY") or "libmpr.so.0")

local SESSION_MANUAL = 0
local SERVER, CLIENT = 2, 3
local HTTP_REQUEST, HTTP_RESPONSE = 1, 2
local WARN = 13

-- Raises what mpr_last_error() says. A positive status is no error: there was nothing to record.
local function check(status)
  if status < 0 then error(ffi.string(mpr.mpr_last_error()), 0) end
end

-- Runs work(span, context) in a span. An error is put on the span and goes on to the caller.
local function in_span(name, kind, parent, work)
  local span = mpr.mpr_span_begin(name, kind, parent)
  local context = ffi.new("mpr_span_context") -- to be the parent of other spans
  mpr.mpr_span_get_context(span, context)
  local stack
  local ok, result = xpcall(function() return work(span, context) end, function(e)
    stack = debug.traceback("", 2)
    return e
  end)
  if not ok then
    mpr.mpr_span_record_exception(span, type(result) == "table" and result.type or "error", tostring(result), stack)
  end
  mpr.mpr_span_end(span)
  if not ok then error(result, 0) end
  return result
end

-- Headers and body of a request or response onto a span; what is secret in them is masked before it leaves the process.
local function capture(span, kind, headers, body)
  local lines = table.concat(headers, "\r\n")
  mpr.mpr_span_capture_payload(span, kind, lines, #lines, body, #body)
end

-- ---- the service ----

-- An error of its own kind, as a Lua program makes them.
local NoReplica = { type = "NoReplica", __tostring = function(self) return "no replica for " .. self.user end }
NoReplica.__index = NoReplica

local function query_replica(user)
  error(setmetatable({ user = user }, NoReplica))
end

local function login(headers, request)
  return in_span("POST /login", SERVER, nil, function(span, context)
    capture(span, HTTP_REQUEST, headers, request)
    local user = request:match('"user": "(%w+)"')
    local ok, e = pcall(in_span, "SELECT users", CLIENT, context, function() query_replica(user) end)
    if not ok then
      local text = tostring(e) .. "; password=correct-horse"
      mpr.mpr_log(WARN, text, #text, ('{"user": "%s"}'):format(user), context)
    end
    local answer = ('{"user": "%s", "token": "e1c5a8f03b77"}'):format(user)
    capture(span, HTTP_RESPONSE, { "Content-Type: application/json", "Set-Cookie: sid=5e551d2f" }, answer)
    return answer
  end)
end

check(mpr.mpr_init(nil)) -- all options come from the environment
local ok, e = pcall(function()
  check(mpr.mpr_start(SESSION_MANUAL, '{"name": "luajit-ffi"}'))
  local headers = { "Content-Type: application/json", "Authorization: Bearer 7f3a9c0d11e2" }
  login(headers, '{"user": "ann", "password": "correct-horse"}')
  local info = ffi.new("char[4096]")
  check(mpr.mpr_session_info(info, 4096, nil))
  print("recorded into " .. ffi.string(info):match('"url":%s*"(.-)"'))
  check(mpr.mpr_stop(nil))
end)
local stopped = mpr.mpr_shutdown(5000) -- delivers what is queued
if not ok then error(e, 0) end
check(stopped)
