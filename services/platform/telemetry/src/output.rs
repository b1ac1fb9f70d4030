//! Where telemetry goes: the settings, the subscriber, the OTLP exporters, and flushing them at the end.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer};

/// Target of the spans that carry a trace along: they exist at every log level.
pub(crate) const ALWAYS: &str = "work";

static EXPORTING: AtomicBool = AtomicBool::new(false);

/// What to log, how, and where traces and metrics go.
#[derive(Debug, Clone, clap::Args)]
#[group(skip)] // every part of the flags is called Settings
pub struct Settings {
    /// Which log lines: a level, or directives such as `info,eventbus=debug`.
    #[arg(long = "log", env = "DINGZHU_LOG", default_value = "info")]
    pub log: String,
    /// How log lines look.
    #[arg(long = "log-format", env = "DINGZHU_LOG_FORMAT", value_enum, default_value_t = Format::Json)]
    pub log_format: Format,
    /// Collector for traces and metrics (OTLP over gRPC), for example `http://localhost:4317`; nothing is exported
    /// unless it is set.
    #[arg(long = "otlp-endpoint", env = "DINGZHU_OTLP_ENDPOINT")]
    pub otlp_endpoint: Option<String>,
    /// Share of the traces to export, from 0 to 1; decided by trace id, so that all services export the same ones.
    #[arg(long = "otlp-sample", env = "DINGZHU_OTLP_SAMPLE", default_value_t = 1.0)]
    pub otlp_sample: f64,
}

impl Default for Settings {
    /// As when nothing is set.
    fn default() -> Self {
        Self { log: "info".to_owned(), log_format: Format::Json, otlp_endpoint: None, otlp_sample: 1.0 }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// One JSON object a line, for machines.
    Json,
    /// Coloured lines, for people.
    Pretty,
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// `DINGZHU_LOG` is not a filter.
    #[error("the log filter cannot be read")]
    Filter(#[from] ParseError),
    /// `DINGZHU_OTLP_ENDPOINT` cannot be used.
    #[error("the OTLP exporter cannot be built")]
    Exporter(#[from] ExporterBuildError),
    /// Telemetry runs already in this process.
    #[error("telemetry was started before")]
    Twice(#[from] TryInitError),
}

/// Keeps telemetry alive; flushes what is not exported yet when it goes.
#[derive(Debug)]
#[must_use = "dropping it ends the export"]
pub struct Guard(Option<Exporters>);

#[derive(Debug)]
struct Exporters {
    traces: SdkTracerProvider,
    metrics: SdkMeterProvider,
}

/// Starts logging, and exporting if an endpoint is set; call it once, inside the Tokio runtime.
pub fn init(settings: &Settings, service: &'static str) -> Result<Guard, InitError> {
    let exporters = settings
        .otlp_endpoint
        .as_deref()
        .map(|endpoint| Exporters::new(endpoint, settings.otlp_sample, service))
        .transpose()?;
    let traces = exporters.as_ref().map(|exporters| {
        tracing_opentelemetry::layer().with_tracer(exporters.traces.tracer("dingzhu")).with_location(false)
    });
    tracing_subscriber::registry()
        .with(traces)
        .with(filter(&settings.log)?)
        .with(lines(settings.log_format))
        .try_init()?;
    if let Some(exporters) = &exporters {
        crate::metrics::install(&exporters.metrics);
        EXPORTING.store(true, Ordering::Release);
    }
    Ok(Guard(exporters))
}

/// Whether spans are exported.
pub(crate) fn exporting() -> bool {
    EXPORTING.load(Ordering::Acquire)
}

pub(crate) fn filter(directives: &str) -> Result<EnvFilter, ParseError> {
    let always = format!("{ALWAYS}=info").parse().expect("target and level are a directive");
    Ok(EnvFilter::builder().parse(directives)?.add_directive(always))
}

fn lines<S>(format: Format) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    match format {
        Format::Json => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed(),
        Format::Pretty => lines.boxed(),
    }
}

impl Exporters {
    fn new(endpoint: &str, sample: f64, service: &'static str) -> Result<Self, InitError> {
        let resource = Resource::builder().with_service_name(service).build();
        let spans = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
        let traces = SdkTracerProvider::builder()
            .with_batch_exporter(spans)
            .with_sampler(Sampler::TraceIdRatioBased(sample))
            .with_resource(resource.clone())
            .build();
        let metrics = MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
        let metrics = SdkMeterProvider::builder().with_periodic_exporter(metrics).with_resource(resource).build();
        Ok(Self { traces, metrics })
    }

    fn flush(&self) {
        EXPORTING.store(false, Ordering::Release);
        for outcome in [self.traces.shutdown(), self.metrics.shutdown()] {
            if let Err(error) = outcome {
                tracing::warn!(%error, "some telemetry was not exported");
            }
        }
    }
}

impl Guard {
    /// Exports what is left, without blocking the runtime that the exporters need for it.
    pub async fn shutdown(mut self) {
        if let Some(exporters) = self.0.take() {
            let flushed = tokio::task::spawn_blocking(move || exporters.flush()).await;
            if flushed.is_err() {
                tracing::warn!("flushing telemetry panicked");
            }
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(exporters) = self.0.take() {
            exporters.flush();
        }
    }
}
