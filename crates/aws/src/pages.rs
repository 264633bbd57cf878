//! Follows the pages of a list.
//!
//! Invariant: a service cannot make the client request pages forever, or fill its memory.

use std::collections::HashSet;

use crate::{CallError, QueryResponse};

/// Maximum number of pages of one list.
const PAGES_MAX: usize = 1000;
/// Maximum total size of names and values in all of its pages, in bytes.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The pages of a list seen so far.
#[derive(Debug, Default)]
pub struct PageMarkers {
    earlier: HashSet<String>,
    bytes: usize,
}

impl PageMarkers {
    /// Takes the marker of the next page out of a page; `None` on the last page.
    ///
    /// # Errors
    /// [`CallError::Impossible`] for a repeated marker, and beyond 1000 pages or 64 MiB.
    pub fn next(&mut self, page: &mut QueryResponse) -> Result<Option<String>, CallError> {
        let members = page.rows.iter().flatten();
        let sizes = members.map(|(name, value)| name.len() + value.len());
        self.bytes = self.bytes.saturating_add(sizes.sum());
        let Some(marker) = page.fields.remove("Marker") else {
            return Ok(None);
        };
        let endless = |why: &str| CallError::Impossible(format!("the list does not end: {why}"));
        if self.bytes > BYTES_MAX {
            return Err(endless("it has more than 64 MiB"));
        }
        if self.earlier.len() + 1 >= PAGES_MAX {
            return Err(endless("it has more than 1000 pages"));
        }
        if !self.earlier.insert(marker.clone()) {
            return Err(endless("a page points back to an earlier one"));
        }
        Ok(Some(marker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(marker: &str, text: &str) -> QueryResponse {
        let mut page = QueryResponse::default();
        page.fields.insert("Marker".to_owned(), marker.to_owned());
        let row = [("Name".to_owned(), text.to_owned())];
        page.rows.push(row.into_iter().collect());
        page
    }

    fn refused(pages: impl Iterator<Item = QueryResponse>) -> (usize, String) {
        let mut markers = PageMarkers::default();
        for (number, mut page) in pages.enumerate() {
            if let Err(error) = markers.next(&mut page) {
                return (number, error.to_string());
            }
        }
        (usize::MAX, String::new())
    }

    #[test]
    fn lists_without_an_end_are_given_up() {
        let (number, why) = refused((0..).map(|n| page(&format!("m{n}"), "")));
        assert_eq!(number, PAGES_MAX - 1);
        assert_eq!(why, "the list does not end: it has more than 1000 pages");
        let (number, why) = refused(std::iter::repeat_with(|| page("again", "")));
        assert_eq!(number, 1);
        assert!(why.contains("points back"), "{why}");
        let large = "x".repeat(BYTES_MAX / 4);
        let (number, why) = refused((0..).map(|n| page(&format!("m{n}"), &large)));
        assert_eq!(number, 3);
        assert!(why.contains("64 MiB"), "{why}");
    }

    #[test]
    fn the_last_page_ends_a_list() {
        let mut markers = PageMarkers::default();
        assert_eq!(markers.next(&mut page("m", "")), Ok(Some("m".to_owned())));
        assert_eq!(markers.next(&mut QueryResponse::default()), Ok(None));
    }
}
