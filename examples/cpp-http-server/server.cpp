// A small shop behind HTTP whose sessions are recorded: cpp-httplib serves, libmpr records, no OpenTelemetry.
//
// What to copy: recorded(), which puts a span with content around each handler, and call(), which passes the trace on to
// the next service. The rest is an ordinary server, and it serves on when there is nobody to record.
//
//     cpp-http-server [--port N] [--next http://HOST:PORT/PATH]… [--session NAME]
//
// SPDX-License-Identifier: Apache-2.0
#include <httplib.h>
#include <mpr.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

// Recording never stops the service, so telling is all.
void check(const char *what, const mpr::Status &status) {
    if (status.failed()) std::fprintf(stderr, "cpp-http-server: %s: %s: %s\n", what, status.name(), status.message().c_str());
}

mpr::Headers headers_of(const httplib::Headers &from) {
    mpr::Headers headers;
    for (const auto &header : from) headers.add(header.first, header.second);
    return headers;
}

using Work = std::function<void(const httplib::Request &, httplib::Response &, const mpr::Span &)>;

// A handler inside a server span, below the caller's if it sent a traceparent, with both contents captured.
httplib::Server::Handler recorded(std::string route, Work work) {
    return [route, work](const httplib::Request &request, httplib::Response &response) {
        mpr::Span span(request.method + " " + route, MPR_SPAN_KIND_SERVER,
                       mpr::Context::from_traceparent(request.get_header_value("traceparent")));
        span.set("http.request.method", request.method);
        span.set("http.route", route);
        span.set("url.path", request.path);
        span.set("client.address", request.remote_addr);
        span.capture(MPR_PAYLOAD_HTTP_REQUEST, headers_of(request.headers), request.body);
        try {
            work(request, response, span);
        } catch (const std::exception &exception) {
            span.record_exception(exception);
            response.status = 500;
            response.set_content("{\"error\": \"internal error\"}", "application/json");
        }
        // (cpp-httplib sets 200 only when it writes the answer.)
        span.set("http.response.status_code", response.status > 0 ? response.status : 200);
        span.capture(MPR_PAYLOAD_HTTP_RESPONSE, headers_of(response.headers), response.body);
    };
}

// A request to another service, in the same trace.
httplib::Result call(const std::string &url, const std::string &body, const mpr::Span &parent) {
    mpr::Span span("POST", MPR_SPAN_KIND_CLIENT, parent.context());
    span.set("http.request.method", "POST");
    span.set("url.full", url);
    const std::size_t path = std::min(url.find('/', url.find("//") + 2), url.size());
    httplib::Client client(url.substr(0, path));
    const httplib::Headers headers = {{"traceparent", span.context().traceparent()}};
    httplib::Result result = client.Post(url.substr(path).c_str(), headers, body, "application/json");
    if (result) {
        span.set("http.response.status_code", result->status);
    } else {
        span.set_status(MPR_SPAN_STATUS_ERROR, httplib::to_string(result.error()));
    }
    return result;
}

int serve(int argc, char **argv) {
    int port = 0;
    std::string session;
    std::vector<std::string> next;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--port") port = std::atoi(argv[i + 1]);
        if (option == "--next") next.push_back(argv[i + 1]);
        if (option == "--session") session = argv[i + 1];
    }

    mpr::Recorder recorder(mpr::Options().service_name("cpp-shop"));
    check("recording is off", recorder.status());
    if (!session.empty()) check("no session", mpr::start(MPR_SESSION_MANUAL, "{\"name\": \"" + session + "\"}"));

    httplib::Server server;
    const Work checkout = [&](const httplib::Request &request, httplib::Response &response, const mpr::Span &span) {
        if (request.body.empty()) throw std::invalid_argument("no card, no tea");
        {
            mpr::Span work("price the cart", span);
            work.set("cart.items", 2);
            mpr::log(MPR_SEVERITY_INFO, "cart priced", work.context());
        }
        for (const std::string &url : next) {
            const httplib::Result paid = call(url, request.body, span);
            if (!paid || paid->status >= 500) throw std::runtime_error("the payment service does not answer");
        }
        response.set_content("{\"paid\": true, \"token\": \"t-8f3a2c\"}", "application/json");
    };
    server.Post("/checkout", recorded("/checkout", checkout));

    // Signals go to the thread that waits for them, and to no handler of a library.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    port = port ? (server.bind_to_port("127.0.0.1", port) ? port : -1) : server.bind_to_any_port("127.0.0.1");
    if (port < 0) return std::fprintf(stderr, "cpp-http-server: the port is in use\n"), 1;
    std::printf("listening on http://127.0.0.1:%d\n", port);
    std::fflush(stdout);
    std::thread serving([&] { server.listen_after_bind(); });
    int signal = 0;
    sigwait(&signals, &signal);
    server.stop();
    serving.join();
    if (!session.empty()) check("stopping the session", mpr::stop());
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    try {
        return serve(argc, argv);
    } catch (const std::exception &exception) {
        return std::fprintf(stderr, "cpp-http-server: %s\n", exception.what()), 1;
    }
}
