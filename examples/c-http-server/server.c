/* A small shop behind HTTP whose sessions are recorded: libmicrohttpd serves, libmpr records.
 *
 * What to copy: start_recording() and stop_recording() for the process; begin_span(), capture() and end_request() for
 * each request; price(), internal_error() and log_line() for the work inside. The rest is an ordinary server, and it
 * serves on when there is nobody to record.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <mpr.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define ADDRESS "127.0.0.1"

enum { THREADS = 4, MAX_BODY = 64 * 1024, IDLE_SECONDS = 30, DRAIN_SECONDS = 5, SHUTDOWN_MS = 5000 };

/* One request, from its first line to the last byte of the answer. */
struct request {
    char *target; /* as it was sent: path and query */
    const struct route *route; /* NULL: there is none */
    bool begun;
    mpr_span *span;
    mpr_span_context context;
    char *body; /* gathered from its pieces; has a NUL behind it once `body_in` is closed */
    size_t body_length;
    FILE *body_in;
    bool too_large;
    char set_cookie[64];
};

struct route {
    const char *method, *path, *content_type;
    unsigned (*handle)(struct request *request, FILE *answer); /* writes the body, returns the status */
};

/* Looks at a status where a failure should be told. Recording never stops the service, so telling is all. */
static void check(const char *what, mpr_status status) {
    if (status < MPR_OK)
        fprintf(stderr, "c-http-server: %s: %s: %s\n", what, mpr_status_name(status), mpr_last_error());
}

/* Every answer and every header list is written through one of these. */
static FILE *memory_stream(char **text, size_t *length) {
    FILE *stream = open_memstream(text, length);
    if (stream == NULL) {
        perror("c-http-server");
        abort();
    }
    return stream;
}

/* ---- The shop ---- */

static const struct {
    const char *name;
    long cents;
} products[] = {{"tea", 450}, {"mug", 1200}, {"kettle", 3990}};

enum { PRODUCTS = sizeof products / sizeof *products };

struct cart {
    long quantity[PRODUCTS];
};

static pthread_mutex_t shop_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cart shop_cart;
static long orders;

/* A line of the service's log, tied to the request's span. */
__attribute__((format(printf, 3, 4)))
static void log_line(const struct request *request, int32_t severity, const char *format, ...) {
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    size_t kept = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    check("log", mpr_log(severity, line, kept, NULL, &request->context));
}

/* Copies the text of a member of a JSON object or of a form. Enough for an example; a real service has a library. */
static bool field(const char *body, const char *name, char *out, size_t size) {
    const char *at = body;
    size_t length = 0, name_length = strlen(name);
    bool json = at[strspn(at, " \t\r\n")] == '{';
    if (json) {
        char quoted[32];
        snprintf(quoted, sizeof quoted, "\"%s\"", name);
        at = strstr(at, quoted);
        if (at == NULL)
            return false;
        at += strlen(quoted);
        at += strspn(at, " \t\r\n:");
        if (*at++ != '"')
            return false;
    } else {
        while (at != NULL && (strncmp(at, name, name_length) != 0 || at[name_length] != '=')) {
            at = strchr(at, '&');
            at = at == NULL ? NULL : at + 1;
        }
        if (at == NULL)
            return false;
        at += name_length + 1;
    }
    for (; *at != '\0' && *at != (json ? '"' : '&') && length + 1 < size; at++) {
        if (json && *at == '\\' && at[1] != '\0')
            at++;
        out[length++] = !json && *at == '+' ? ' ' : *at;
    }
    out[length] = '\0';
    if (*at != (json ? '"' : '&') && (json || *at != '\0'))
        return false; /* cut off, or longer than anything that this shop takes */
    if (!json)
        length = MHD_http_unescape(out);
    return length > 0;
}

static void write_json_text(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < ' ')
            fprintf(out, "\\u%04x", (unsigned)*text);
        else
            fprintf(out, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    }
    fputc('"', out);
}

static unsigned refuse(FILE *answer, unsigned status, const char *why) {
    fprintf(answer, "{\"error\": \"%s\"}", why);
    return status;
}

/* For what is the service's own fault. The exception marks the span as failed. */
static unsigned internal_error(const struct request *request, FILE *answer, const char *type, const char *message,
                               const char *stack) {
    check("exception", mpr_span_record_exception(request->span, type, message, stack));
    mpr_span_set_string(request->span, "error.type", type);
    log_line(request, MPR_SEVERITY_ERROR, "%s: %s", type, message);
    return refuse(answer, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal error"); /* the cause is nobody else's business */
}

static unsigned login(struct request *request, FILE *answer) {
    char user[64], password[128];
    if (!field(request->body, "user", user, sizeof user) ||
        !field(request->body, "password", password, sizeof password))
        return refuse(answer, MHD_HTTP_BAD_REQUEST, "user and password are needed");
    if (strlen(password) < 8) { /* this shop knows everybody with a password of 8 characters */
        log_line(request, MPR_SEVERITY_WARN, "login refused for %s", user);
        return refuse(answer, MHD_HTTP_UNAUTHORIZED, "wrong user or password");
    }
    unsigned char token[16];
    if (getrandom(token, sizeof token, 0) != (ssize_t)sizeof token)
        return internal_error(request, answer, "EntropyError", strerror(errno), NULL);
    char hex[2 * sizeof token + 1];
    for (size_t i = 0; i < sizeof token; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned)token[i]);
    snprintf(request->set_cookie, sizeof request->set_cookie, "session=%s; HttpOnly; Path=/", hex);
    fputs("{\"user\": ", answer);
    write_json_text(answer, user);
    fprintf(answer, ", \"access_token\": \"%s\"}", hex);
    log_line(request, MPR_SEVERITY_INFO, "%s logged in", user);
    return MHD_HTTP_OK;
}

/* Work inside a request: a span of its own, below the request's. */
static long price(const struct request *request, const struct cart *cart) {
    mpr_span *span = mpr_span_begin("price cart", MPR_SPAN_KIND_INTERNAL, &request->context);
    long items = 0, cents = 0;
    for (int i = 0; i < PRODUCTS; i++) {
        items += cart->quantity[i];
        cents += cart->quantity[i] * products[i].cents;
    }
    mpr_span_set_int(span, "cart.items", items);
    mpr_span_set_int(span, "cart.cents", cents);
    mpr_span_end(span);
    return cents;
}

static unsigned show_cart(struct request *request, FILE *answer) {
    pthread_mutex_lock(&shop_lock);
    struct cart cart = shop_cart;
    pthread_mutex_unlock(&shop_lock);
    const char *comma = "";
    fputs("{\"items\": [", answer);
    for (int i = 0; i < PRODUCTS; i++) {
        if (cart.quantity[i] == 0)
            continue;
        fprintf(answer, "%s{\"item\": \"%s\", \"quantity\": %ld}", comma, products[i].name, cart.quantity[i]);
        comma = ", ";
    }
    fprintf(answer, "], \"cents\": %ld}", price(request, &cart));
    return MHD_HTTP_OK;
}

static unsigned add_to_cart(struct request *request, FILE *answer) {
    char item[32];
    if (!field(request->body, "item", item, sizeof item))
        return refuse(answer, MHD_HTTP_BAD_REQUEST, "item is needed");
    for (int i = 0; i < PRODUCTS; i++) {
        if (strcmp(products[i].name, item) != 0)
            continue;
        pthread_mutex_lock(&shop_lock);
        long quantity = ++shop_cart.quantity[i];
        pthread_mutex_unlock(&shop_lock);
        fprintf(answer, "{\"item\": \"%s\", \"quantity\": %ld}", item, quantity);
        return MHD_HTTP_CREATED;
    }
    return refuse(answer, MHD_HTTP_NOT_FOUND, "no such item");
}

/* Whether the check digit (Luhn) is right. A call to a payment service would be a span of MPR_SPAN_KIND_CLIENT here,
 * and mpr_traceparent_format() of its context would go along as the header traceparent. */
static bool charge(const struct request *request, const char *card, long cents) {
    mpr_span *span = mpr_span_begin("charge card", MPR_SPAN_KIND_INTERNAL, &request->context);
    int sum = 0, digits = 0;
    for (const char *at = card + strlen(card); at-- != card;) {
        if (*at < '0' || *at > '9')
            continue;
        int digit = (*at - '0') << (digits++ % 2);
        sum += digit > 9 ? digit - 9 : digit;
    }
    bool charged = digits >= 12 && sum % 10 == 0;
    mpr_span_set_int(span, "payment.cents", cents);
    if (!charged)
        mpr_span_set_status(span, MPR_SPAN_STATUS_ERROR, "the card was declined");
    mpr_span_end(span);
    return charged;
}

static unsigned checkout(struct request *request, FILE *answer) {
    char card[32], password[128];
    if (!field(request->body, "card_number", card, sizeof card) ||
        !field(request->body, "password", password, sizeof password))
        return refuse(answer, MHD_HTTP_BAD_REQUEST, "card_number and password are needed");
    pthread_mutex_lock(&shop_lock);
    struct cart cart = shop_cart;
    shop_cart = (struct cart){0};
    pthread_mutex_unlock(&shop_lock);
    long cents = price(request, &cart);
    if (cents == 0)
        return refuse(answer, MHD_HTTP_CONFLICT, "the cart is empty");
    bool charged = charge(request, card, cents);
    pthread_mutex_lock(&shop_lock);
    long order = charged ? ++orders : 0;
    for (int i = 0; i < PRODUCTS && !charged; i++) /* the cart goes back */
        shop_cart.quantity[i] += cart.quantity[i];
    pthread_mutex_unlock(&shop_lock);
    if (!charged) {
        log_line(request, MPR_SEVERITY_WARN, "a card was declined");
        return refuse(answer, MHD_HTTP_PAYMENT_REQUIRED, "the card was declined");
    }
    log_line(request, MPR_SEVERITY_INFO, "order %ld paid: %ld cents", order, cents);
    fprintf(answer, "{\"order\": %ld, \"cents\": %ld}", order, cents);
    return MHD_HTTP_CREATED;
}

static unsigned fail(struct request *request, FILE *answer) {
    /* Function, file and line: raw addresses would make every crash a different one. */
    char stack[128];
    snprintf(stack, sizeof stack, "at %s (%s:%d)", __func__, "server.c", __LINE__);
    return internal_error(request, answer, "StockError", "the stock of tea is -1", stack);
}

static unsigned download(struct request *request, FILE *answer) {
    (void)request;
    for (int line = 0; line < 5000; line++)
        fprintf(answer, "line %06d of the price list: tea, mug, kettle, and so on\n", line);
    return MHD_HTTP_OK;
}

static const struct route routes[] = {
    {"POST", "/login", "application/json", login},       {"GET", "/cart", "application/json", show_cart},
    {"POST", "/cart", "application/json", add_to_cart},  {"POST", "/checkout", "application/json", checkout},
    {"GET", "/fail", "application/json", fail},          {"GET", "/download", "text/plain; charset=utf-8", download},
};

static const struct route *find_route(const char *method, const char *path) {
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (strcmp(routes[i].method, method) == 0 && strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

/* ---- Requests, and what is recorded of them ---- */

static uint16_t port;
static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t running_changed = PTHREAD_COND_INITIALIZER;
static int running;

static void count_running(int change) {
    pthread_mutex_lock(&running_lock);
    running += change;
    pthread_cond_broadcast(&running_changed);
    pthread_mutex_unlock(&running_lock);
}

/* libmicrohttpd calls this with the first line of each request; later the query is only there in pieces. */
static void *begin_request(void *unused, const char *target, struct MHD_Connection *connection) {
    (void)unused, (void)connection;
    struct request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    request->target = strdup(target);
    request->body_in = memory_stream(&request->body, &request->body_length);
    count_running(1);
    return request;
}

static bool is_standard(const char *method) {
    static const char *const methods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                          "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(methods[i], method) == 0)
            return true;
    }
    return false;
}

/* The headers are there: the span begins, below the caller's when it sent a traceparent. */
static void begin_span(struct request *request, struct MHD_Connection *connection, const char *method,
                       const char *version) {
    /* A header that is missing or broken leaves an all-zero parent, which begins a new trace. */
    mpr_span_context parent = {0};
    mpr_traceparent_parse(MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "traceparent"), &parent);
    /* The name has few values, whatever clients send: the route, not the path. */
    char name[64];
    if (request->route != NULL)
        snprintf(name, sizeof name, "%s %s", method, request->route->path);
    else
        snprintf(name, sizeof name, "%s", is_standard(method) ? method : "HTTP");
    mpr_span *span = request->span = mpr_span_begin(name, MPR_SPAN_KIND_SERVER, &parent);
    check("span", mpr_span_get_context(span, &request->context));

    /* OpenTelemetry's names. An attribute that is refused (a path that is not UTF-8) is missing, and nothing else. */
    char *query = request->target == NULL ? NULL : strchr(request->target, '?');
    if (query != NULL)
        *query++ = '\0';
    mpr_span_set_string(span, "http.request.method", is_standard(method) ? method : "_OTHER");
    if (!is_standard(method))
        mpr_span_set_string(span, "http.request.method_original", method);
    mpr_span_set_string(span, "url.scheme", "http");
    mpr_span_set_string(span, "url.path", request->target);
    if (query != NULL)
        mpr_span_set_string(span, "url.query", query); /* the library masks secrets in it */
    if (request->route != NULL)
        mpr_span_set_string(span, "http.route", request->route->path);
    mpr_span_set_string(span, "server.address", ADDRESS);
    mpr_span_set_int(span, "server.port", port);
    if (strncmp(version, "HTTP/", 5) == 0)
        mpr_span_set_string(span, "network.protocol.version", version + 5);
    const char *agent = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "User-Agent");
    if (agent != NULL)
        mpr_span_set_string(span, "user_agent.original", agent);
}

static enum MHD_Result write_header(void *stream, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    fprintf(stream, "%s: %s\r\n", name, value == NULL ? "" : value);
    return MHD_YES;
}

/* Puts headers and body on the span, masked. The headers are the response's or, without one, the request's. */
static void capture(const struct request *request, int32_t kind, struct MHD_Connection *connection,
                    struct MHD_Response *response, const char *body, size_t body_length) {
    if ((request->context.trace_flags & 1) == 0)
        return; /* not recorded: the headers need not be written together */
    char *headers;
    size_t length;
    FILE *stream = memory_stream(&headers, &length);
    if (response != NULL)
        MHD_get_response_headers(response, write_header, stream);
    else
        MHD_get_connection_values(connection, MHD_HEADER_KIND, write_header, stream);
    fclose(stream);
    check("capture",
          mpr_span_capture_payload(request->span, kind, headers, length, (const uint8_t *)body, body_length));
    free(headers);
}

static enum MHD_Result respond(struct request *request, struct MHD_Connection *connection) {
    fclose(request->body_in);
    request->body_in = NULL;
    capture(request, MPR_PAYLOAD_HTTP_REQUEST, connection, NULL, request->body, request->body_length);

    char *body;
    size_t length;
    FILE *stream = memory_stream(&body, &length);
    unsigned status;
    if (request->too_large)
        status = refuse(stream, MHD_HTTP_CONTENT_TOO_LARGE, "the body is too large");
    else if (request->route == NULL)
        status = refuse(stream, MHD_HTTP_NOT_FOUND, "no such route");
    else
        status = request->route->handle(request, stream);
    fclose(stream);

    mpr_span_set_int(request->span, "http.response.status_code", status);
    struct MHD_Response *response = MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(body);
        return MHD_NO;
    }
    const char *type = request->route == NULL ? "application/json" : request->route->content_type;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (request->set_cookie[0] != '\0')
        MHD_add_response_header(response, MHD_HTTP_HEADER_SET_COOKIE, request->set_cookie);
    capture(request, MPR_PAYLOAD_HTTP_RESPONSE, connection, response, body, length);
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

/* libmicrohttpd calls this once with the headers, then with each piece of the body, then to have the answer. */
static enum MHD_Result serve(void *unused, struct MHD_Connection *connection, const char *path, const char *method,
                             const char *version, const char *piece, size_t *piece_length, void **state) {
    (void)unused;
    struct request *request = *state;
    if (request == NULL)
        return MHD_NO; /* closes the connection: there is no memory */
    if (!request->begun) {
        request->begun = true;
        request->route = find_route(method, path);
        begin_span(request, connection, method, version);
        return MHD_YES;
    }
    if (*piece_length == 0)
        return respond(request, connection);
    /* A larger body is read to its end and refused; what fits is still recorded. */
    fflush(request->body_in); /* brings body_length up to date */
    size_t room = MAX_BODY - request->body_length;
    request->too_large |= *piece_length > room;
    fwrite(piece, 1, *piece_length < room ? *piece_length : room, request->body_in);
    *piece_length = 0;
    return MHD_YES;
}

/* Once for each begin_request(), also when the client went away. The span ends here, so it covers the sending. */
static void end_request(void *unused, struct MHD_Connection *connection, void **state,
                        enum MHD_RequestTerminationCode why) {
    (void)unused, (void)connection;
    struct request *request = *state;
    if (request == NULL)
        return;
    if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        mpr_span_set_status(request->span, MPR_SPAN_STATUS_ERROR, "the answer was not sent in full");
    mpr_span_end(request->span);
    if (request->body_in != NULL)
        fclose(request->body_in);
    free(request->body);
    free(request->target);
    free(request);
    count_running(-1);
}

/* ---- The process ---- */

/* What the library has to say. It never prints by itself. */
static void print_diagnostic(int32_t level, const char *message, void *unused) {
    (void)level, (void)unused;
    fprintf(stderr, "libmpr: %s\n", message);
}

static void print_session(const char *what) {
    char info[4096];
    mpr_status status = mpr_session_info(info, sizeof info, NULL);
    check("session info", status);
    if (status != MPR_OK)
        return;
    char url[256];
    if (field(info, "url", url, sizeof url))
        printf("%s: %s\n", what, url);
}

/* Whether a session runs. When not, all calls of the library go on answering, and nothing is recorded. */
static bool start_recording(const char *name) {
    /* Key and addresses come from the environment (MULTIPLAYER_API_KEY, …). */
    mpr_options *options = mpr_options_new();
    check("options", mpr_options_set_service_name(options, "c-http-server"));
    check("options", mpr_options_set_service_version(options, "1.0"));
    check("options", mpr_options_set_log_callback(options, print_diagnostic, NULL, NULL));
    mpr_status status = mpr_init(options); /* the options are the library's now */
    if (status == MPR_OK) {
        char *json;
        size_t length;
        FILE *stream = memory_stream(&json, &length);
        fputs("{\"name\": ", stream);
        write_json_text(stream, name);
        fputs("}", stream);
        fclose(stream);
        status = mpr_start(MPR_SESSION_MANUAL, json);
        free(json);
    }
    check("recording is off", status);
    if (status == MPR_OK)
        print_session("recording");
    return status == MPR_OK;
}

static void stop_recording(bool session) {
    if (session) {
        print_session("recorded"); /* before the stop: a stopped recorder has no session to tell of */
        check("stop", mpr_stop(NULL));
    }
    check("shutdown", mpr_shutdown(SHUTDOWN_MS));
    mpr_stats stats = {.struct_size = sizeof stats};
    if (mpr_get_stats(&stats) == MPR_OK && stats.accepted != stats.exported)
        fprintf(stderr, "c-http-server: %llu of %llu spans and logs were lost\n",
                (unsigned long long)(stats.accepted - stats.exported), (unsigned long long)stats.accepted);
}

static struct MHD_Daemon *listen_on(uint16_t wanted) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(wanted)};
    inet_pton(AF_INET, ADDRESS, &address.sin_addr);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC, 0, NULL, NULL, serve, NULL,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_URI_LOG_CALLBACK, begin_request, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_END);
    if (daemon != NULL)
        port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return daemon;
}

/* Takes no new connections and lets the running requests end, a few seconds at most. */
static void stop_listening(struct MHD_Daemon *daemon) {
    int listener = MHD_quiesce_daemon(daemon);
    if (listener >= 0)
        close(listener);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DRAIN_SECONDS;
    pthread_mutex_lock(&running_lock);
    while (running > 0 && pthread_cond_timedwait(&running_changed, &running_lock, &until) == 0)
        ;
    pthread_mutex_unlock(&running_lock);
    MHD_stop_daemon(daemon);
}

int main(int argc, char **argv) {
    char *end = NULL;
    long wanted = argc == 3 ? strtol(argv[2], &end, 10) : 8080;
    if (argc < 2 || argc > 3 || (end != NULL && *end != '\0') || wanted < 0 || wanted > UINT16_MAX) {
        fprintf(stderr, "usage: %s SESSION-NAME [PORT]    (0 takes a free port)\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* Blocked before there is a thread: only sigwait() below gets them, and no signal handler is needed. */
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);

    bool session = start_recording(argv[1]);
    struct MHD_Daemon *daemon = listen_on((uint16_t)wanted);
    if (daemon == NULL) {
        fprintf(stderr, "c-http-server: cannot listen on %s:%ld: %s\n", ADDRESS, wanted, strerror(errno));
    } else {
        printf("listening on http://%s:%u\n", ADDRESS, (unsigned)port);
        int received;
        sigwait(&ends, &received);
        stop_listening(daemon);
    }
    stop_recording(session); /* after the last span has ended */
    return daemon == NULL ? EXIT_FAILURE : EXIT_SUCCESS;
}
