//! Evaluates the tree of a template.

use std::rc::Rc;

use super::TemplateError;
use super::context::Payload;
use super::format::MAX_LEN;
use super::functions;
use super::parse::{Block, Node, NodeKind};
use super::pipeline::{Operand, Pipeline};
use super::value::Value;

/// The most that one evaluation may cost, in bytes of its values, so that no template uses up the
/// memory or the time of the worker.
const MAX_COST: usize = 32 << 20;

/// The cost of a step.
const STEP: usize = 16;

/// An evaluation of one template.
pub(super) struct Evaluation<'a> {
    root: Value,
    payload: Option<&'a dyn Payload>,
    variables: Vec<(String, Value)>,
    out: String,
    cost: usize,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(root: Value, payload: Option<&'a dyn Payload>) -> Self {
        Self { root, payload, variables: Vec::new(), out: String::new(), cost: 0 }
    }

    pub(super) fn run(mut self, nodes: &[Node]) -> Result<String, TemplateError> {
        let root = self.root.clone();
        self.nodes(nodes, &root)?;
        Ok(self.out)
    }

    fn nodes(&mut self, nodes: &[Node], dot: &Value) -> Result<(), TemplateError> {
        for node in nodes {
            let line = node.line;
            let at = |problem| TemplateError { line, problem };
            self.spend(0).map_err(at)?;
            match &node.kind {
                NodeKind::Text(text) => self.write(text).map_err(at)?,
                NodeKind::Action(pipeline) => {
                    let value = self.pipeline(pipeline, dot).map_err(at)?;
                    if pipeline.variables.is_empty() {
                        self.write(&value.to_string()).map_err(at)?;
                    } else {
                        self.set_variables(pipeline, value).map_err(at)?;
                    }
                }
                NodeKind::If(block) => self.choice(block, dot, line, false)?,
                NodeKind::With(block) => self.choice(block, dot, line, true)?,
                NodeKind::Range(block) => self.range(block, dot, line)?,
            }
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<(), String> {
        if self.out.len().saturating_add(text.len()) > MAX_LEN {
            return Err(format!("the text is longer than {MAX_LEN} bytes"));
        }
        self.out.push_str(text);
        Ok(())
    }

    /// Counts a step that makes values of so many bytes.
    fn spend(&mut self, bytes: usize) -> Result<(), String> {
        self.cost = self.cost.saturating_add(STEP).saturating_add(bytes);
        if self.cost > MAX_COST {
            return Err("it takes too many steps, or too much memory".to_owned());
        }
        Ok(())
    }

    /// `if` and `with`.
    fn choice(
        &mut self,
        block: &Block,
        dot: &Value,
        line: usize,
        is_with: bool,
    ) -> Result<(), TemplateError> {
        let at = |problem| TemplateError { line, problem };
        let known = self.variables.len();
        let value = self.pipeline(&block.pipeline, dot).map_err(at)?;
        self.set_variables(&block.pipeline, value.clone()).map_err(at)?;
        if value.is_true() {
            self.nodes(&block.body, if is_with { &value } else { dot })?;
        } else {
            self.nodes(&block.otherwise, dot)?;
        }
        self.variables.truncate(known);
        Ok(())
    }

    /// The entries of a map, by their keys in order.
    fn range(&mut self, block: &Block, dot: &Value, line: usize) -> Result<(), TemplateError> {
        let at = |problem| TemplateError { line, problem };
        let known = self.variables.len();
        let value = self.pipeline(&block.pipeline, dot).map_err(at)?;
        let entries = if let Value::Map(entries) = value {
            entries
        } else if value == Value::Nil {
            Rc::default()
        } else {
            let kind = value.type_name();
            return Err(at(format!("`range` needs labels, and this is a {kind}")));
        };
        if entries.is_empty() {
            return self.nodes(&block.otherwise, dot);
        }
        for (key, value) in &*entries {
            self.spend(key.len().saturating_add(value.len())).map_err(at)?;
            let value = Value::text(value);
            let values = match block.pipeline.variables.as_slice() {
                [] => Vec::new(),
                [one] => vec![(one, value.clone())],
                [first, second, ..] => {
                    vec![(first, Value::text(key)), (second, value.clone())]
                }
            };
            for (name, value) in values {
                self.set(name, value, block.pipeline.is_assignment).map_err(at)?;
            }
            self.nodes(&block.body, &value)?;
            self.variables.truncate(known);
        }
        Ok(())
    }

    fn set_variables(&mut self, pipeline: &Pipeline, value: Value) -> Result<(), String> {
        match pipeline.variables.as_slice() {
            [] => Ok(()),
            [one] => self.set(one, value, pipeline.is_assignment),
            _ => Err("two variables are for `range` only".to_owned()),
        }
    }

    fn set(&mut self, name: &str, value: Value, is_assignment: bool) -> Result<(), String> {
        self.spend(self.variables.len())?;
        if !is_assignment {
            self.variables.push((name.to_owned(), value));
            return Ok(());
        }
        let variable = self.variables.iter_mut().rev().find(|(known, _)| known == name);
        variable.ok_or_else(|| undefined(name))?.1 = value;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &Pipeline, dot: &Value) -> Result<Value, String> {
        let mut last = None;
        for command in &pipeline.commands {
            last = Some(self.command(command, dot, last)?);
        }
        last.ok_or_else(|| "a value is missing".to_owned())
    }

    fn command(
        &mut self,
        operands: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, String> {
        match operands {
            [Operand::Function(name), arguments @ ..] => self.call(name, arguments, dot, last),
            [operand] if last.is_none() => self.operand(operand, dot),
            [] => Err("a value is missing".to_owned()),
            [_, ..] => Err("only a function can have arguments".to_owned()),
        }
    }

    fn call(
        &mut self,
        name: &str,
        arguments: &[Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, String> {
        let mut values = Vec::with_capacity(arguments.len() + 1);
        for argument in arguments {
            let value = self.operand(argument, dot)?;
            // `and` and `or` evaluate no more than they need.
            let decides = matches!((name, value.is_true()), ("and", false) | ("or", true));
            values.push(value);
            if decides {
                return Ok(values.pop().unwrap_or(Value::Nil));
            }
        }
        values.extend(last);
        self.function(name, values)
    }

    fn function(&mut self, name: &str, arguments: Vec<Value>) -> Result<Value, String> {
        self.spend(functions::most(name, &arguments))?;
        let value = functions::call(name, arguments, self.payload)?;
        self.spend(value.copied())?;
        Ok(value)
    }

    fn operand(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        let value = self.value(operand, dot)?;
        self.spend(value.copied())?;
        Ok(value)
    }

    fn value(&mut self, operand: &Operand, dot: &Value) -> Result<Value, String> {
        Ok(match operand {
            Operand::Dot => dot.clone(),
            Operand::Nil => Value::Nil,
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Int(number) => Value::Int(*number),
            Operand::Float(number) => Value::Float(*number),
            Operand::Text(text) => Value::text(text),
            Operand::Function(name) => self.function(name, Vec::new())?,
            Operand::Variable(name) if name.is_empty() => self.root.clone(),
            Operand::Variable(name) => {
                self.spend(self.variables.len())?;
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                known.map(|(_, value)| value.clone()).ok_or_else(|| undefined(name))?
            }
            Operand::Fields(of, names) => {
                let mut value = self.operand(of, dot)?;
                for name in names {
                    value = value.field(name)?;
                }
                value
            }
            Operand::Parentheses(pipeline) => {
                let known = self.variables.len();
                let value = self.pipeline(pipeline, dot)?;
                self.set_variables(pipeline, value.clone())?;
                self.variables.truncate(known);
                value
            }
        })
    }
}

fn undefined(name: &str) -> String {
    format!("the variable ${name} is not defined")
}
