# libmpr from Ruby with Fiddle, which comes with it, and nothing else: one request, recorded.
#
#   mpr-local &                                                # the local recorder; export the three lines that it prints
#   MPR_LIBRARY=/usr/local/lib/libmpr.so.0 ruby first.rb       # without MPR_LIBRARY the system looks for it
#
# Fiddle lets other Ruby threads run during a call. After fork (Puma's and Unicorn's workers) the child records on by itself.

require "fiddle/import"
require "json"

# The functions used here, as include/mpr.h declares them, and a little Ruby above them.
module Mpr
  extend Fiddle::Importer
  dlload ENV.fetch("MPR_LIBRARY", "libmpr.so.0")

  typealias "int32_t", "int"
  typealias "uint32_t", "unsigned int"
  typealias "uint8_t", "unsigned char"
  # An mpr_span_context is 32 bytes that nobody looks into, and a pointer is a pointer.
  extern "const char *mpr_last_error(void)"
  extern "int32_t mpr_init(void *options)"
  extern "int32_t mpr_start(int32_t session_type, const char *session_json)"
  extern "int32_t mpr_stop(const char *session_json)"
  extern "int32_t mpr_session_info(char *json, size_t capacity, size_t *needed)"
  extern "int32_t mpr_shutdown(uint32_t timeout_ms)"
  extern "void *mpr_span_begin(const char *name, int32_t kind, const void *parent)"
  extern "int32_t mpr_span_get_context(const void *span, void *context)"
  extern "int32_t mpr_span_capture_payload(void *span, int32_t kind, const char *headers, size_t headers_len, const uint8_t *body, size_t body_len)"
  extern "int32_t mpr_span_record_exception(void *span, const char *type, const char *message, const char *stacktrace)"
  extern "int32_t mpr_log(int32_t severity_number, const char *body, size_t len, const char *attributes_json, const void *context)"
  extern "void mpr_span_end(void *span)"

  SESSION_MANUAL = 0
  SERVER, CLIENT = 2, 3
  HTTP_REQUEST, HTTP_RESPONSE = 1, 2
  WARN = 13

  class Error < StandardError; end

  # Raises what mpr_last_error says. A positive status is no error: there was nothing to record.
  def self.check(status)
    raise Error, mpr_last_error.to_s if status.negative?
  end

  # Records a session around the block.
  def self.session(**about)
    check mpr_init(nil) # all options come from the environment
    begin
      check mpr_start(SESSION_MANUAL, JSON.generate(about))
      yield
      check mpr_stop(nil)
    ensure
      stopped = mpr_shutdown(5000) # delivers what is queued
    end
    check stopped
  end

  def self.url
    json = "\0" * 4096
    check mpr_session_info(json, json.bytesize, nil)
    JSON.parse(json.unpack1("Z*"))["url"]
  end

  # A span around the block, which gets it. An exception is put on the span and goes on to the caller.
  def self.span(name, kind, parent = nil)
    span = Span.new(mpr_span_begin(name, kind, parent&.context))
    yield span
  rescue => e
    mpr_span_record_exception(span.pointer, e.class.name, e.message, e.backtrace&.join("\n")) if span
    raise
  ensure
    mpr_span_end(span.pointer) if span
  end

  class Span
    attr_reader :pointer, :context

    def initialize(pointer)
      @pointer = pointer
      @context = "\0" * 32
      Mpr.mpr_span_get_context(pointer, @context)
    end

    # Headers and body of a request or response; what is secret in them is masked before it leaves the process.
    def capture(kind, headers, body)
      lines = headers.map { |name, value| "#{name}: #{value}" }.join("\r\n")
      Mpr.mpr_span_capture_payload(pointer, kind, lines, lines.bytesize, body, body.bytesize)
    end

    def log(severity, text, **attributes)
      Mpr.mpr_log(severity, text, text.bytesize, JSON.generate(attributes), context)
    end
  end
end

# ---- the service ----

def query_replica(user)
  raise IndexError, "no replica for #{user}"
end

def login(headers, request)
  Mpr.span("POST /login", Mpr::SERVER) do |span|
    span.capture(Mpr::HTTP_REQUEST, headers, request)
    user = JSON.parse(request)["user"]
    begin
      Mpr.span("SELECT users", Mpr::CLIENT, span) { query_replica(user) }
    rescue IndexError => e
      span.log(Mpr::WARN, "#{e.message}; password=correct-horse", user: user)
    end
    answer = JSON.generate(user: user, token: "e1c5a8f03b77")
    span.capture(Mpr::HTTP_RESPONSE, { "Content-Type" => "application/json", "Set-Cookie" => "sid=5e551d2f" }, answer)
    answer
  end
end

Mpr.session(name: "ruby-fiddle") do
  headers = { "Content-Type" => "application/json", "Authorization" => "Bearer 7f3a9c0d11e2" }
  login(headers, '{"user": "ann", "password": "correct-horse"}')
  puts "recorded into #{Mpr.url}"
end
