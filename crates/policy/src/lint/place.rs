//! Finds the position of an element in a policy's text, so that a finding points at its subject as
//! narrowly as possible.

use crate::{
    TextSpan,
    json::{PolicyNode, PolicyValue},
};

/// The statements of a text.
pub(super) struct StatementPlaces<'a> {
    statements: Vec<&'a PolicyNode>,
}

impl<'a> StatementPlaces<'a> {
    pub(super) fn new(root: &'a PolicyNode) -> Self {
        let statements = root.member("Statement").into_iter();
        let statements = statements.flat_map(PolicyNode::items).collect();
        Self { statements }
    }

    pub(super) const fn len(&self) -> usize {
        self.statements.len()
    }

    pub(super) fn statement(&self, statement: usize) -> Option<TextSpan> {
        self.statements.get(statement).map(|node| node.span)
    }

    /// The span of an element's value (`Condition/StringEquals` goes deeper), or of one of its
    /// items.
    pub(super) fn of(
        &self,
        statement: usize,
        element: &str,
        item: Option<usize>,
    ) -> Option<TextSpan> {
        let mut node = *self.statements.get(statement)?;
        for name in element.split('\n') {
            node = node.member(name)?;
        }
        match (&node.value, item) {
            (PolicyValue::List(items), Some(item)) => items.get(item).map(|node| node.span),
            _ => Some(node.span),
        }
    }
}
