// A gRPC service in C++ whose sessions are recorded, and its client.
//
// What to copy: recorded(), which puts a span with metadata and messages around a call of the service, and the traceparent
// that the client sends along. Messages are captured as JSON: protobuf's own bytes would only be described, since nothing in
// them tells a password from a name.
//
//     cpp-grpc [--port N] [--session NAME]                    serves
//     cpp-grpc --call HOST:PORT [--session NAME]              pays once
//
// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/util/json_util.h>
#include <grpcpp/grpcpp.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mpr.hpp>
#include <string>

#include "payments.grpc.pb.h"

namespace {

std::string json_of(const google::protobuf::Message &message) {
    std::string json;
    google::protobuf::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    return google::protobuf::util::MessageToJsonString(message, &json, options).ok() ? json : std::string();
}

// A call of the service inside a server span, below the caller's if it sent a traceparent, with both messages captured.
template <typename Request, typename Reply, typename Work>
grpc::Status recorded(const char *service, const char *method, grpc::ServerContext *context, const Request &request,
                      Reply *reply, Work work) {
    std::string traceparent;
    mpr::Headers headers;
    headers.add("Content-Type", "application/json");
    for (const auto &pair : context->client_metadata()) {
        const std::string name(pair.first.data(), pair.first.size()), value(pair.second.data(), pair.second.size());
        headers.add(name, value);
        if (name == "traceparent") traceparent = value;
    }
    mpr::Span span(std::string(service) + "/" + method, MPR_SPAN_KIND_SERVER, mpr::Context::from_traceparent(traceparent));
    span.set("rpc.system", "grpc");
    span.set("rpc.service", service);
    span.set("rpc.method", method);
    span.capture(MPR_PAYLOAD_GRPC_REQUEST, headers, json_of(request));
    const grpc::Status status = work(span);
    span.set("rpc.grpc.status_code", static_cast<int>(status.error_code()));
    if (!status.ok()) span.set_status(MPR_SPAN_STATUS_ERROR, status.error_message());
    span.capture(MPR_PAYLOAD_GRPC_RESPONSE, mpr::Headers().add("Content-Type", "application/json"), json_of(*reply));
    return status;
}

class Payments final : public shop::Payments::Service {
    grpc::Status Pay(grpc::ServerContext *context, const shop::PayRequest *request, shop::PayReply *reply) override {
        return recorded("shop.Payments", "Pay", context, *request, reply, [&](const mpr::Span &span) {
            mpr::Span work("ask the bank", span);
            if (request->amount() <= 0) {
                mpr::log(MPR_SEVERITY_WARN, "nothing to pay", work.context());
                const std::string amount = std::to_string(request->amount());
                return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "amount: " + amount + "; it must be positive");
            }
            reply->set_paid(true);
            reply->set_token("t-8f3a2c");
            return grpc::Status::OK;
        });
    }
};

int pay(const std::string &target) {
    const auto stub = shop::Payments::NewStub(grpc::CreateChannel(target, grpc::InsecureChannelCredentials()));
    mpr::Span span("shop.Payments/Pay", MPR_SPAN_KIND_CLIENT);
    grpc::ClientContext context;
    context.AddMetadata("traceparent", span.context().traceparent());
    context.AddMetadata("authorization", "Bearer abc");
    shop::PayRequest request;
    request.set_card("4111 1111 1111 1111");
    request.set_password("hunter2");
    request.set_amount(42);
    shop::PayReply reply;
    const grpc::Status status = stub->Pay(&context, request, &reply);
    if (!status.ok()) span.set_status(MPR_SPAN_STATUS_ERROR, status.error_message());
    std::printf("%s\n", status.ok() ? json_of(reply).c_str() : status.error_message().c_str());
    return status.ok() ? 0 : 1;
}

int serve(int port) {
    // gRPC's threads get none of the signals that end the server.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);
    Payments service;
    grpc::ServerBuilder builder;
    int bound = 0;
    builder.AddListeningPort("127.0.0.1:" + std::to_string(port), grpc::InsecureServerCredentials(), &bound);
    builder.RegisterService(&service);
    const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server || !bound) return std::fprintf(stderr, "cpp-grpc: the port is in use\n"), 1;
    std::printf("listening on 127.0.0.1:%d\n", bound);
    std::fflush(stdout);
    int signal = 0;
    sigwait(&signals, &signal);
    server->Shutdown();
    return 0;
}

}  // namespace

int main(int argc, char **argv) {
    int port = 0;
    std::string target, session;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string option = argv[i];
        if (option == "--port") port = std::atoi(argv[i + 1]);
        if (option == "--call") target = argv[i + 1];
        if (option == "--session") session = argv[i + 1];
    }
    mpr::Recorder recorder(mpr::Options().service_name(target.empty() ? "payments" : "payer"));
    if (recorder.status().failed()) std::fprintf(stderr, "cpp-grpc: recording is off: %s\n", mpr_last_error());
    if (!session.empty() && mpr::start(MPR_SESSION_MANUAL, "{\"name\": \"" + session + "\"}").failed())
        std::fprintf(stderr, "cpp-grpc: no session: %s\n", mpr_last_error());
    const int result = target.empty() ? serve(port) : pay(target);
    if (!session.empty() && mpr::stop().failed()) std::fprintf(stderr, "cpp-grpc: the session's end: %s\n", mpr_last_error());
    return result;
}
