//! An executor and controllers that follow the script of a world.

use super::input::Call;
use super::scene::Scene;
use onward::exec::{
    Assignment, Controller, ControllerError, ErrorKind, Executor, Inspected, Inspection,
};
use serde_json::{Value, json};

/// The executor of one agent.
#[derive(Clone)]
pub(crate) struct Machine {
    pub(crate) scene: Scene,
}

/// The controller of one task.
pub(crate) struct Operator {
    scene: Scene,
    id: String,
    definition: String,
}

type Answer = Result<(), ControllerError>;

/// A call in flight. A call that is dropped before it returns was canceled.
struct Flight<'a> {
    scene: &'a Scene,
    fields: Value,
    has_returned: bool,
}

impl<'a> Flight<'a> {
    fn begin(scene: &'a Scene, fields: Value) -> Self {
        scene.put("call", fields.clone());
        Self { scene, fields, has_returned: false }
    }

    fn finish(mut self, error: Option<&ControllerError>, more: Option<(&str, Value)>) {
        self.has_returned = true;
        let mut fields = self.fields.take();
        if let Some(fields) = fields.as_object_mut() {
            if let Some(error) = error {
                fields.insert("error".to_owned(), json!(error.to_string()));
                fields.insert("temporary".to_owned(), json!(error.is_temporary()));
            }
            fields.extend(more.map(|(name, value)| (name.to_owned(), value)));
        }
        self.scene.put("return", fields);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.has_returned {
            self.scene.put("cancel", self.fields.take());
        }
    }
}

fn outcome(call: &Call) -> Answer {
    call.error.as_ref().map_or(Ok(()), |error| Err(error.error()))
}

/// Another try may learn more.
fn is_temporary(error: &ControllerError) -> bool {
    error.is_temporary() || error.kind() == ErrorKind::Interrupted
}

impl Scene {
    /// A call of an operation that may have an effect.
    async fn operate(&self, operation: &str, id: &str, definition: &str, fields: Value) -> Answer {
        let call = self.call(operation, id, definition);
        let flight = Flight::begin(self, fields);
        if call.took_effect {
            self.place().take_effect(operation, id);
        }
        self.pass(call.takes_ms).await;
        let answer = outcome(&call);
        if answer.is_ok() && !call.took_effect {
            self.place().take_effect(operation, id);
        }
        flight.finish(answer.as_ref().err(), None);
        answer
    }
}

impl Executor for Machine {
    type Definition = String;
    type Controller = Operator;

    async fn controller(
        &self,
        assignment: &Assignment<String>,
    ) -> Result<Operator, ControllerError> {
        let (id, definition) = (&assignment.id, &assignment.definition);
        let fields = json!({ "operation": "controller", "id": id, "definition": definition });
        self.scene.operate("controller", id, definition, fields).await?;
        let (id, definition) = (id.to_string(), definition.clone());
        Ok(Operator { scene: self.scene.clone(), id, definition })
    }

    async fn list(&self) -> Result<Vec<String>, ControllerError> {
        let call = self.scene.call("found", "", "");
        let flight = Flight::begin(&self.scene, json!({ "operation": "found" }));
        self.scene.pass(call.takes_ms).await;
        let answer = outcome(&call).map(|()| self.scene.place().left());
        let ids = answer.as_ref().ok().map(|ids| ("ids", json!(ids)));
        flight.finish(answer.as_ref().err(), ids);
        answer
    }

    async fn reconcile(&self, id: &str) -> Answer {
        let fields = json!({ "operation": "reconcile", "id": id });
        self.scene.operate("reconcile", id, "", fields).await
    }
}

impl Operator {
    fn fields(&self, operation: &str) -> Value {
        json!({ "operation": operation, "id": self.id, "definition": self.definition })
    }

    async fn operate(&self, operation: &str) -> Answer {
        let fields = self.fields(operation);
        self.scene.operate(operation, &self.id, &self.definition, fields).await
    }
}

impl Controller for Operator {
    type Definition = String;

    async fn update(&mut self, definition: &String) -> Answer {
        let mut fields = self.fields("update");
        if let Some(fields) = fields.as_object_mut() {
            fields.insert("offered".to_owned(), json!(definition));
        }
        self.scene.operate("update", &self.id, definition, fields).await?;
        self.definition.clone_from(definition);
        Ok(())
    }

    async fn prepare(&mut self) -> Answer {
        self.operate("prepare").await
    }

    async fn start(&mut self) -> Answer {
        self.operate("start").await
    }

    async fn wait(&mut self) -> Answer {
        let known = self.scene.place().answer(&self.id);
        let call = match known {
            Some(_) => Call::at_once(),
            None => self.scene.call("wait", &self.id, &self.definition),
        };
        let flight = Flight::begin(&self.scene, self.fields("wait"));
        self.scene.pass(call.takes_ms).await;
        let answer = known.unwrap_or_else(|| outcome(&call));
        if answer.as_ref().err().is_none_or(|error| !is_temporary(error)) {
            self.scene.place().end(&self.id, answer.clone());
        }
        flight.finish(answer.as_ref().err(), None);
        answer
    }

    async fn shutdown(&mut self) -> Answer {
        self.operate("shutdown").await
    }

    async fn terminate(&mut self) -> Answer {
        self.operate("terminate").await
    }

    async fn remove(&mut self) -> Answer {
        self.operate("remove").await
    }

    async fn close(&mut self) -> Answer {
        self.operate("close").await
    }

    async fn inspect(&mut self) -> Inspection {
        let news = match self.operate("inspect").await {
            Ok(()) => Inspected::Unchanged,
            Err(error) => Inspected::Failed(error),
        };
        Inspection::default().with_container_status(news)
    }
}
