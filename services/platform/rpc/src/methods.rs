//! The methods of the API, read from the descriptors once: their names for traces and metrics, and which of them stream.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// How the limits treat a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One request, one answer: has a deadline.
    Call,
    /// Streams in or out: lives as long as both sides want.
    Stream,
    /// Health and reflection: answered however busy the service is.
    Probe,
}

#[derive(Debug)]
pub(crate) struct Method {
    /// `dingzhu.notifications.v1.Notices/ListNotices`
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether it streams, whatever its kind: then it is ended by the stop of the service.
    pub(crate) streams: bool,
}

static UNKNOWN: LazyLock<Method> =
    LazyLock::new(|| Method { name: "unknown".to_owned(), kind: Kind::Call, streams: false });

static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    let mut methods = HashMap::new();
    for (descriptors, probes) in [
        (proto::DESCRIPTORS, false),
        (tonic_health::pb::FILE_DESCRIPTOR_SET, true),
        (tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET, true),
        (tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET, true),
    ] {
        let files = FileDescriptorSet::decode(descriptors).expect("the build wrote the descriptors").file;
        for (file, service) in files.iter().flat_map(|file| file.service.iter().map(move |service| (file, service))) {
            for method in &service.method {
                let name = format!("{}.{}/{}", file.package(), service.name(), method.name());
                let streams = method.client_streaming() || method.server_streaming();
                let kind = match (probes, streams) {
                    (true, _) => Kind::Probe,
                    (false, true) => Kind::Stream,
                    (false, false) => Kind::Call,
                };
                methods.insert(name.clone(), Method { name, kind, streams });
            }
        }
    }
    methods
});

/// The method of a request's path. Paths that the API does not have share one entry, so that nobody can fill the
/// metrics with names.
pub(crate) fn of(path: &str) -> &'static Method {
    path.strip_prefix('/').and_then(|name| METHODS.get(name)).unwrap_or(&UNKNOWN)
}

/// The full name of the method of a request's path, `unknown` where the API has none of that path.
pub fn method_name(path: &str) -> &'static str {
    &of(path).name
}

/// Whether the method of a request's path streams, in or out.
pub fn streams(path: &str) -> bool {
    of(path).streams
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_streams_and_probes_are_told_apart() {
        assert_eq!(of("/dingzhu.notifications.v1.Templates/ListTemplates").kind, Kind::Call);
        assert_eq!(of("/grpc.health.v1.Health/Watch").kind, Kind::Probe);
        assert!(of("/grpc.health.v1.Health/Watch").streams);
        assert!(!of("/grpc.health.v1.Health/Check").streams);
        assert_eq!(of("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo").kind, Kind::Probe);
        assert_eq!(of("/dingzhu.operations.v1.EventFeed/ReadEvents").kind, Kind::Stream);
        assert_eq!(of("/made/up").name, "unknown");
    }
}
