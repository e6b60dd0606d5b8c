<?php
// libmpr from PHP 8.1 or newer, with the FFI extension that comes with it and nothing else: one request, recorded.
//
//   mpr-local &                                                # the local recorder; export the three lines that it prints
//   MPR_LIBRARY=/usr/local/lib/libmpr.so.0 php first.php       # without MPR_LIBRARY the system looks for it
//
// On the command line FFI is on. Under php-fpm set ffi.enable=true, or declare the functions in a file that
// opcache.preload loads. A worker keeps the library from one request to the next: mpr_init() then answers
// ALREADY_INITIALIZED, which is as good as OK, and mpr_shutdown() is left to the end of the worker.
declare(strict_types=1);

final class MprException extends RuntimeException
{
}

/** The functions used here, as include/mpr.h declares them. (uint8_t * is char * here: PHP hands over its strings as that.) */
final class Mpr
{
    public const ALREADY_INITIALIZED = -3;
    public const SESSION_MANUAL = 0;
    public const KIND_SERVER = 2, KIND_CLIENT = 3;
    public const HTTP_REQUEST = 1, HTTP_RESPONSE = 2;
    public const SEVERITY_WARN = 13;

    private static ?FFI $ffi = null;

    public static function ffi(): FFI
    {
        return self::$ffi ??= FFI::cdef(<<<'C'
            typedef struct mpr_options mpr_options;
            typedef struct mpr_span mpr_span;
            typedef struct mpr_span_context { uint8_t trace_id[16], span_id[8], trace_flags, reserved[7]; } mpr_span_context;
            const char *mpr_last_error(void);
            int32_t mpr_init(mpr_options *options);
            int32_t mpr_start(int32_t session_type, const char *session_json);
            int32_t mpr_stop(const char *session_json);
            int32_t mpr_session_info(char *json, size_t capacity, size_t *needed);
            int32_t mpr_shutdown(uint32_t timeout_ms);
            mpr_span *mpr_span_begin(const char *name, int32_t kind, const mpr_span_context *parent);
            int32_t mpr_span_get_context(const mpr_span *span, mpr_span_context *context);
            int32_t mpr_span_capture_payload(mpr_span *span, int32_t kind, const char *headers, size_t headers_len,
                                             const char *body, size_t body_len);
            int32_t mpr_span_record_exception(mpr_span *span, const char *type, const char *message, const char *stacktrace);
            int32_t mpr_log(int32_t severity_number, const char *body, size_t len, const char *attributes_json,
                            const mpr_span_context *context);
            void mpr_span_end(mpr_span *span);
            C, getenv('MPR_LIBRARY') ?: 'libmpr.so.0');
    }

    /** Throws what mpr_last_error() says. A positive status is no error: there was nothing to record. */
    public static function check(int $status): void
    {
        if ($status < 0) {
            throw new MprException(self::ffi()->mpr_last_error(), $status);
        }
    }

    public static function init(): void
    {
        $status = self::ffi()->mpr_init(null); // all options come from the environment
        if ($status !== self::ALREADY_INITIALIZED) {
            self::check($status);
        }
    }

    public static function start(array $session): void
    {
        self::check(self::ffi()->mpr_start(self::SESSION_MANUAL, json_encode($session, JSON_THROW_ON_ERROR)));
    }

    public static function url(): string
    {
        $json = self::ffi()->new('char[4096]');
        self::check(self::ffi()->mpr_session_info($json, 4096, null));
        return json_decode(FFI::string($json), true, flags: JSON_THROW_ON_ERROR)['url'] ?? '';
    }
}

/** Runs $work($span, $context) in a span. An exception is put on the span and goes on to the caller. */
function span(string $name, int $kind, ?FFI\CData $parent, callable $work): mixed
{
    $ffi = Mpr::ffi();
    $span = $ffi->mpr_span_begin($name, $kind, $parent ? FFI::addr($parent) : null);
    $context = $ffi->new('mpr_span_context'); // to be the parent of other spans
    $ffi->mpr_span_get_context($span, FFI::addr($context));
    try {
        return $work($span, $context);
    } catch (Throwable $e) {
        $ffi->mpr_span_record_exception($span, $e::class, $e->getMessage(), $e->getTraceAsString());
        throw $e;
    } finally {
        $ffi->mpr_span_end($span);
    }
}

/** Headers and body of a request or response onto a span; what is secret in them is masked before it leaves the process. */
function capture(FFI\CData $span, int $kind, array $headers, string $body): void
{
    $lines = implode("\r\n", array_map(fn ($name, $value) => "$name: $value", array_keys($headers), $headers));
    Mpr::ffi()->mpr_span_capture_payload($span, $kind, $lines, strlen($lines), $body, strlen($body));
}

function note(int $severity, string $text, array $attributes, FFI\CData $context): void
{
    $json = json_encode((object) $attributes, JSON_THROW_ON_ERROR);
    Mpr::ffi()->mpr_log($severity, $text, strlen($text), $json, FFI::addr($context));
}

// ---- the service ----

function query_replica(string $user): array
{
    throw new RangeException("no replica for $user");
}

function login(array $headers, string $request): string
{
    return span('POST /login', Mpr::KIND_SERVER, null, function ($span, $context) use ($headers, $request) {
        capture($span, Mpr::HTTP_REQUEST, $headers, $request);
        $user = json_decode($request, true, flags: JSON_THROW_ON_ERROR)['user'];
        try {
            span('SELECT users', Mpr::KIND_CLIENT, $context, fn () => query_replica($user));
        } catch (RangeException $e) {
            note(Mpr::SEVERITY_WARN, "{$e->getMessage()}; password=correct-horse", ['user' => $user], $context);
        }
        $answer = json_encode(['user' => $user, 'token' => 'e1c5a8f03b77']);
        capture($span, Mpr::HTTP_RESPONSE, ['Content-Type' => 'application/json', 'Set-Cookie' => 'sid=5e551d2f'], $answer);
        return $answer;
    });
}

Mpr::init();
try {
    Mpr::start(['name' => 'php-ffi']);
    $headers = ['Content-Type' => 'application/json', 'Authorization' => 'Bearer 7f3a9c0d11e2'];
    login($headers, '{"user": "ann", "password": "correct-horse"}');
    echo 'recorded into ', Mpr::url(), "\n";
    Mpr::check(Mpr::ffi()->mpr_stop(null));
} finally {
    $stopped = Mpr::ffi()->mpr_shutdown(5000); // delivers what is queued
}
Mpr::check($stopped);
