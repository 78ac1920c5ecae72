/**
 * Configuration: one YAML file, environment variables over it, flags over both; checked as a whole, every fault reported.
 */
export type {
  CertificateConfig,
  Config,
  ConfigError,
  HistoryConfig,
  HostConfig,
  HttpConfig,
  LeaveConfig,
  LimitsConfig,
  ListenerConfig,
  LogLevel,
  RateConfig,
  RateLimit,
  StoreConfig,
  UpstreamConfig,
  XmlLimits,
} from './config/types.ts';
