//! The other services, as this one reaches them: a channel each, with this service's token on every call.

use std::collections::HashMap;

use access::{PeerToken, Person, ServiceIdentity};
use tonic::service::interceptor::InterceptedService;

use crate::Settings;

/// A channel for generated clients that says who calls.
pub type PeerChannel = InterceptedService<rpc::Channel, PeerToken>;

/// Channels to the other services. Clones share them.
#[derive(Clone, Debug)]
pub struct Peers {
    channels: HashMap<&'static str, (rpc::Channel, PeerToken)>,
}

impl Peers {
    pub(crate) fn new(identity: &ServiceIdentity, settings: &Settings) -> Result<Self, rpc::ConnectError> {
        let urls = [
            ("identity", &settings.identity_url),
            ("certificates", &settings.certificates_url),
            ("scheduling", &settings.scheduling_url),
            ("applications", &settings.applications_url),
            ("notifications", &settings.notifications_url),
        ];
        let channels = urls.into_iter().map(|(service, url)| {
            Ok((service, (rpc::connect(url, &settings.client_tls)?, identity.token_for(service))))
        });
        Ok(Self { channels: channels.collect::<Result<_, _>>()? })
    }

    /// A channel to `service`, as this service.
    pub fn channel(&self, service: &str) -> PeerChannel {
        let (channel, token) = &self.channels[service];
        InterceptedService::new(channel.clone(), token.clone())
    }

    /// A channel to `service` that passes along the rights of a person: the other service sees both.
    pub fn channel_for(&self, service: &str, person: &Person) -> PeerChannel {
        let (channel, token) = &self.channels[service];
        InterceptedService::new(channel.clone(), token.on_behalf_of(&person.token))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &rpc::Channel, &PeerToken)> {
        self.channels.iter().map(|(service, (channel, token))| (*service, channel, token))
    }
}
