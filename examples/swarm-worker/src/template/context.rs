//! The values that templates can use.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::value::Value;
use super::{TemplateError, expand};

/// The values that templates can use: `{{.Service.Name}}` is [`service_name`](Self::service_name).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names of the fields in templates
pub struct Context {
    pub service_id: String,
    pub service_name: String,
    pub service_labels: BTreeMap<String, String>,
    pub node_id: String,
    pub node_hostname: String,
    /// `{{.Node.Platform.Architecture}}`, such as `x86_64`.
    pub node_architecture: String,
    /// `{{.Node.Platform.OS}}`, such as `linux`.
    pub node_os: String,
    pub task_id: String,
    pub task_name: String,
    /// The slot. For a global service, the id of the node.
    pub task_slot: String,
}

/// What the functions `secret`, `config` and `env` return in a secret or a config.
pub trait Payload {
    /// The secret that the task has under this target.
    ///
    /// # Errors
    ///
    /// The task has no such secret.
    fn secret(&self, target: &str) -> Result<String, String>;

    /// The config that the task has under this target.
    ///
    /// # Errors
    ///
    /// The task has no such config.
    fn config(&self, target: &str) -> Result<String, String>;

    /// The environment variable of the task. Empty: there is none.
    fn env(&self, name: &str) -> String;
}

impl Context {
    /// Expands an option of a service.
    ///
    /// # Errors
    ///
    /// The template is malformed, or uses something that does not exist.
    pub fn expand(&self, template: &str) -> Result<String, TemplateError> {
        expand(template, self.value(), None)
    }

    /// Expands a secret or a config.
    ///
    /// # Errors
    ///
    /// The template is malformed, or uses something that does not exist.
    pub fn expand_payload(
        &self,
        template: &str,
        payload: &dyn Payload,
    ) -> Result<String, TemplateError> {
        expand(template, self.value(), Some(payload))
    }

    fn value(&self) -> Value {
        let platform = Value::Struct(Rc::new([
            ("Architecture", Value::text(&self.node_architecture)),
            ("OS", Value::text(&self.node_os)),
        ]));
        let service = Value::Struct(Rc::new([
            ("ID", Value::text(&self.service_id)),
            ("Name", Value::text(&self.service_name)),
            ("Labels", Value::Map(Rc::new(self.service_labels.clone()))),
        ]));
        let node = Value::Struct(Rc::new([
            ("ID", Value::text(&self.node_id)),
            ("Hostname", Value::text(&self.node_hostname)),
            ("Platform", platform),
        ]));
        let task = Value::Struct(Rc::new([
            ("ID", Value::text(&self.task_id)),
            ("Name", Value::text(&self.task_name)),
            ("Slot", Value::text(&self.task_slot)),
        ]));
        Value::Struct(Rc::new([("Service", service), ("Node", node), ("Task", task)]))
    }
}
