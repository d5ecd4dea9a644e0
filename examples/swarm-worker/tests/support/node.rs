//! The smallest node: it joins, holds a session, and renews its certificate.

use std::time::Duration;

use swarm_worker::credentials::Credentials;
use swarm_worker::renewal::renew;
use swarm_worker::wire::{
    EngineDescription, HeartbeatRequest, NodeDescription, Platform, SessionRequest,
};
use tokio::time::sleep;

/// Holds a session, and calls `Session` again when the worker has another certificate. Ends with an
/// error of a call.
pub(crate) async fn hold_session(credentials: &Credentials) -> Result<(), tonic::Status> {
    tokio::select! {
        never = renew(credentials.clone()) => match never {},
        result = sessions(credentials) => result,
    }
}

async fn sessions(credentials: &Credentials) -> Result<(), tonic::Status> {
    let mut changes = credentials.changes();
    let mut session_id = String::new();
    loop {
        let identity = changes.borrow_and_update().clone();
        let address = identity.managers()[0].parse().unwrap();
        let connection = credentials.connect(&address).await.unwrap();
        let description = NodeDescription {
            hostname: "test".to_owned(),
            platform: Some(Platform { architecture: "x86_64".to_owned(), os: "linux".to_owned() }),
            engine: Some(EngineDescription::default()),
            tls_info: Some(identity.tls_info()),
            ..NodeDescription::default()
        };
        let request =
            SessionRequest { description: Some(description), session_id: session_id.clone() };
        let mut messages = connection.dispatcher().session(request).await?.into_inner();
        let told = identity.tls_info();
        loop {
            tokio::select! {
                message = messages.message() => match message? {
                    Some(message) => {
                        session_id.clone_from(&message.session_id);
                        credentials.observe(&message).await;
                    }
                    None => return Ok(()),
                },
                () = sleep(Duration::from_secs(2)) => {}
            }
            let request = HeartbeatRequest { session_id: session_id.clone() };
            connection.dispatcher().heartbeat(request).await?;
            if changes.borrow().tls_info() != told {
                break;
            }
        }
    }
}
