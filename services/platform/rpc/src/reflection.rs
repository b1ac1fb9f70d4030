//! Reflection: the API describes itself to tools, in both versions of the protocol that are about.

use tonic_reflection::server::Builder;

use crate::Surface;

/// Adds reflection for the services of the surface.
pub(crate) fn offer(surface: Surface) -> Surface {
    let builder = || {
        let described = Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        surface.services().iter().fold(described, |builder, service| builder.with_service_name(*service))
    };
    let v1 = builder().build_v1().expect("the build wrote the descriptors");
    let v1alpha = builder().build_v1alpha().expect("the build wrote the descriptors");
    surface.offer(v1).offer(v1alpha)
}
