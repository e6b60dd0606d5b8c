/* libmpr's producer in `make bench-delivery`, through the C ABI. */
#define _GNU_SOURCE
#include "workload.h"

#include <mpr.h>

static void peer_begin(const struct run *run) {
    char json[1024], queue[64] = "", spool[512] = "";
    /* The budget is in bytes: room for what a span may weigh before it is encoded. */
    if (run->queue) snprintf(queue, sizeof queue, ", \"queue_max_bytes\": %ld", run->queue * (run->large ? 16384 : 4096));
    if (run->spool[0]) snprintf(spool, sizeof spool, ", \"spool_dir\": \"%s\", \"spool_max_bytes\": 4294967296", run->spool);
    snprintf(json, sizeof json,
             "{\"api_key\": \"bench\", \"sample_ratio\": %s, \"traces_endpoint\": \"%s\", \"compression\": \"%s\"%s%s}",
             strcmp(run->mode, "unrecorded") ? "1.0" : "0.0",
             /* There is no recording that is thrown away: it goes to a port where nobody listens, and stays in the queue. */
             strcmp(run->mode, "export") ? "http://127.0.0.1:9/v1/traces" : run->endpoint, run->compression, queue, spool);
    mpr_options *options = mpr_options_new();
    if (mpr_options_set_json(options, json) != MPR_OK || mpr_init(options) != MPR_OK) {
        fprintf(stderr, "%s\n", mpr_last_error());
        exit(1);
    }
}

static void peer_span(long n) {
    mpr_span *span = mpr_span_begin("GET /cart/{id}", MPR_SPAN_KIND_SERVER, NULL);
    mpr_span_set_string(span, "http.request.method", "GET");
    mpr_span_set_string(span, "http.route", "/cart/{id}");
    mpr_span_set_string(span, "url.path", "/cart/18334");
    mpr_span_set_int(span, "http.response.status_code", 200);
    mpr_span_set_string(span, "server.address", "shop.example.com");
    mpr_span_set_int(span, "server.port", 443);
    mpr_span_set_string(span, "user_agent.original", "curl/8.5.0");
    mpr_span_set_string(span, "network.protocol.version", "1.1");
    mpr_span_set_int(span, "cart.items", (int64_t)n);
    mpr_span_set_bool(span, "cart.paid", 1);
    if (workload_run.large) {
        mpr_span_set_string(span, "request.text", workload_text);
        mpr_span_set_string(span, "response.text", workload_text);
    }
    mpr_span_end(span);
}

static void peer_end(void) {
    int export = !strcmp(workload_run.mode, "export");
    if (export && mpr_flush(120000) != MPR_OK) fprintf(stderr, "%s\n", mpr_last_error());
    mpr_shutdown(export ? 5000 : 0);
}
