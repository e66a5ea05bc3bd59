// A face of its own: threads that only count need not load prom-client and an HTTP server.
export type { Exposition } from './exposition.ts';
export type { MetricFamily, Sample } from './families.ts';
export type { Sources } from './gauges.ts';
export { expositionText, LaterExposition } from './later.ts';
export type { RelayHealthSource } from './relay-health.ts';
export { type ListenAddress, MetricsListenError, MetricsServer, type ReadinessCheck } from './server.ts';
