//! Opens a session, or continues it with another description.

use tonic::Streaming;
use tonic::transport::Channel;

use super::end::{End, answer, in_time};
use crate::wire::dispatcher_client::DispatcherClient;
use crate::wire::{NodeDescription, SessionMessage, SessionRequest};

/// An open session.
pub(super) struct Registration {
    /// The id of the session.
    pub(super) id: String,
    /// The description of the node that the manager has.
    pub(super) description: NodeDescription,
    /// The first message, which has everything.
    pub(super) first: SessionMessage,
    /// The further messages.
    pub(super) messages: Streaming<SessionMessage>,
}

impl Registration {
    /// Calls `Session`. With the id of a session that is open, that one continues.
    pub(super) async fn open(
        mut client: DispatcherClient<Channel>,
        description: NodeDescription,
        session_id: String,
    ) -> Result<Self, End> {
        let request = SessionRequest { description: Some(description.clone()), session_id };
        let mut messages = answer("Session", client.session(request)).await?;
        match in_time("Session", messages.message()).await? {
            Ok(Some(first)) => {
                Ok(Self { id: first.session_id.clone(), description, first, messages })
            }
            Ok(None) => Err(End::Lost("Session: the manager closed it at once".to_owned())),
            Err(status) => Err(End::of("Session", &status)),
        }
    }
}
