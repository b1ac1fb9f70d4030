//! The API of Dingzhu: protobuf messages, gRPC clients and servers, and the descriptor set that reflection serves.
//!
//! The `.proto` files under `dingzhu/` are the manual; this crate is what the compiler makes of them.
#![allow(missing_docs, clippy::pedantic, clippy::all)] // generated code; its documentation stands in the .proto files

/// Every file of the API, encoded as a `FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

macro_rules! package {
    ($name:ident) => {
        pub mod $name {
            pub mod v1 {
                include!(concat!(env!("OUT_DIR"), "/dingzhu.", stringify!($name), ".v1.rs"));
            }
        }
    };
}

package!(types);
package!(operations);
package!(identity);
package!(certificates);
package!(scheduling);
package!(applications);
package!(notifications);
