//! Finds the place of an element in a policy's text. It protects one rule: a finding points at what
//! it is about, as narrowly as the text allows.

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

    /// How many statements there are.
    pub(super) const fn len(&self) -> usize {
        self.statements.len()
    }

    /// The place of a statement.
    pub(super) fn statement(&self, statement: usize) -> Option<TextSpan> {
        self.statements.get(statement).map(|node| node.span)
    }

    /// The value of an element (`Condition/StringEquals` goes deeper), or of one of its items.
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
