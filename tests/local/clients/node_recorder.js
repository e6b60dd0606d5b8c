// A service with the published recorder for Node, as its README has it. FOLDER: where that is installed.
'use strict'
const path = require('node:path')
const { createRequire } = require('node:module')
const from = createRequire(path.resolve(process.argv[2], 'x.js'))
const { SpanKind, SpanStatusCode, trace, context } = from('@opentelemetry/api')
const { BasicTracerProvider, BatchSpanProcessor, ParentBasedSampler } = from('@opentelemetry/sdk-trace-base')
const {
  sessionRecorder, SessionType, SessionRecorderSdk, SessionRecorderHttpTraceExporter, SessionRecorderIdGenerator,
  SessionRecorderTraceIdRatioBasedSampler,
} = from('@multiplayer-app/session-recorder-node')

const url = process.env.MULTIPLAYER_BASE_API_URL
const apiKey = process.env.MULTIPLAYER_API_KEY

async function main () {
  const idGenerator = new SessionRecorderIdGenerator()
  const exporter = new SessionRecorderHttpTraceExporter({ apiKey, url: `${url}/v1/traces` })
  const provider = new BasicTracerProvider({
    idGenerator,
    sampler: new ParentBasedSampler({ root: new SessionRecorderTraceIdRatioBasedSampler(0) }),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  })
  sessionRecorder.init({ apiKey, traceIdGenerator: idGenerator, apiBaseUrl: url, resourceAttributes: { componentName: 'node-shop' } })
  await sessionRecorder.start(SessionType.MANUAL, { name: 'from Node', sessionAttributes: { accountId: '1234' } })
  const tracer = provider.getTracer('node')
  const span = tracer.startSpan('POST /pay', { kind: SpanKind.SERVER })
  const mask = SessionRecorderSdk.mask(SessionRecorderSdk.sensitiveFields)
  span.setAttribute('multiplayer.http.request.body', mask(JSON.stringify({ amount: 5, password: 'hunter2' })))
  span.setAttribute('http.response.status_code', 500)
  const child = tracer.startSpan('charge', { kind: SpanKind.CLIENT }, trace.setSpan(context.active(), span))
  child.recordException(new Error('declined'))
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'declined' })
  child.end()
  span.end()
  await provider.forceFlush()
  await sessionRecorder.stop({})
  await provider.shutdown()
}

main().catch((e) => {
  console.error(e)
  process.exit(1)
})
