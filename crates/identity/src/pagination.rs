//! Pages of a listing. Opaque markers name the last item returned, so pages stay consistent while
//! others write.
//!
//! Invariant: a marker is bound to its operation and filter, and refused with any other.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};

use crate::fault::IamFault;

/// The default page size.
const DEFAULT_ITEMS: i32 = 100;
/// Bytes of the digest that binds a marker to its operation and filter.
const BINDING_BYTES: usize = 8;

/// The requested page.
#[derive(Debug)]
pub struct PageRequest {
    binding: Vec<u8>,
    after: Option<String>,
    items_max: usize,
}

impl PageRequest {
    /// From a request's `Marker` and `MaxItems`. `filter` is everything else that selects items.
    ///
    /// # Errors
    /// `ValidationError` with `Invalid Marker.` if the marker is not of this operation and filter.
    pub fn of(
        operation: &str,
        filter: &[&str],
        marker: Option<&str>,
        max_items: Option<i32>,
    ) -> Result<Self, IamFault> {
        let binding = binding(operation, filter);
        let after = marker.map(|marker| unwrap(marker, &binding)).transpose()?;
        let items_max = usize::try_from(max_items.unwrap_or(DEFAULT_ITEMS)).unwrap_or(1);
        Ok(Self {
            binding,
            after,
            items_max,
        })
    }

    /// The sort key of the last item of the previous page, if any.
    pub fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The maximum number of items.
    pub const fn items_max(&self) -> usize {
        self.items_max
    }

    /// Takes a page from items that are sorted by `key` and start after [`PageRequest::after`].
    /// Returns them and the marker of the next page, if there is one.
    pub fn take<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let mut page: Vec<T> = items.into_iter().take(self.items_max + 1).collect();
        if page.len() <= self.items_max {
            return (page, None);
        }
        page.truncate(self.items_max);
        let marker = page.last().map(|last| self.marker(&key(last)));
        (page, marker)
    }

    /// As [`PageRequest::take`], but ends the page before its items exceed `bytes_max`. It has at
    /// least one item.
    pub fn take_within<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> String,
        size: impl Fn(&T) -> usize,
        bytes_max: usize,
    ) -> (Vec<T>, Option<String>) {
        let (mut page, mut bytes) = (Vec::<T>::new(), 0);
        for item in items {
            bytes += size(&item);
            let is_full = page.len() >= self.items_max || bytes > bytes_max;
            if is_full && let Some(last) = page.last() {
                let marker = self.marker(&key(last));
                return (page, Some(marker));
            }
            page.push(item);
        }
        (page, None)
    }

    /// As [`PageRequest::take`], for the complete list of items, sorted by `key`.
    pub fn cut<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let rest = items.into_iter().skip_while(|item| {
            self.after()
                .is_some_and(|after| key(item).as_str() <= after)
        });
        self.take(rest.collect::<Vec<_>>(), &key)
    }

    /// The marker of the page after the item with this sort key.
    pub fn marker(&self, last: &str) -> String {
        let mut bytes = self.binding.clone();
        bytes.extend_from_slice(last.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn binding(operation: &str, filter: &[&str]) -> Vec<u8> {
    let text = std::iter::once(operation)
        .chain(filter.iter().copied())
        .collect::<Vec<_>>();
    let digest = digest(&SHA256, text.join("\0").as_bytes());
    digest
        .as_ref()
        .iter()
        .copied()
        .take(BINDING_BYTES)
        .collect()
}

fn unwrap(marker: &str, binding: &[u8]) -> Result<String, IamFault> {
    let invalid = || IamFault::Validation("Invalid Marker.".to_owned());
    let bytes = BASE64_URL_SAFE_NO_PAD
        .decode(marker)
        .map_err(|_| invalid())?;
    let last = bytes.strip_prefix(binding).ok_or_else(invalid)?;
    String::from_utf8(last.to_vec()).map_err(|_| invalid())
}

#[cfg(test)]
mod tests {
    use super::PageRequest;
    use crate::fault::IamFault;

    #[test]
    fn pages_follow_each_other_and_survive_writes_in_between() {
        let mut names = vec!["a", "b", "c", "d"];
        let first = PageRequest::of("ListUsers", &["/"], None, Some(2)).unwrap();
        let (page, marker) = first.cut(names.clone(), |name| (*name).to_owned());
        assert_eq!(page, ["a", "b"]);
        names.retain(|name| *name != "b");
        let marker = marker.unwrap();
        let second = PageRequest::of("ListUsers", &["/"], Some(&marker), Some(5)).unwrap();
        let (page, marker) = second.cut(names, |name| (*name).to_owned());
        assert_eq!((page, marker), (vec!["c", "d"], None));
    }

    #[test]
    fn a_page_ends_before_it_is_too_large() {
        let texts = ["aa", "bb", "cccc", "d"];
        let pages = |bytes_max, items_max| {
            let (mut pages, mut marker) = (Vec::new(), None);
            loop {
                let page = PageRequest::of("L", &[], marker.as_deref(), Some(items_max)).unwrap();
                let rest = texts
                    .iter()
                    .filter(|text| page.after().is_none_or(|it| **text > it));
                let key = |text: &&&str| (**text).to_owned();
                let (items, next) = page.take_within(rest, key, |text| text.len(), bytes_max);
                pages.push(items.len());
                marker = next;
                if marker.is_none() {
                    return pages;
                }
            }
        };
        assert_eq!(pages(4, 10), [2, 1, 1]);
        assert_eq!(pages(1, 10), [1, 1, 1, 1]);
        assert_eq!(pages(100, 3), [3, 1]);
    }

    #[test]
    fn a_marker_belongs_to_its_operation_and_filter() {
        let first = PageRequest::of("ListUsers", &["/"], None, Some(1)).unwrap();
        let (_, marker) = first.cut(["a", "b"], |name| (*name).to_owned());
        let marker = marker.unwrap();
        for (operation, filter) in [("ListGroups", "/"), ("ListUsers", "/team/")] {
            let page = PageRequest::of(operation, &[filter], Some(&marker), None);
            assert!(matches!(page, Err(IamFault::Validation(text)) if text == "Invalid Marker."));
        }
        assert!(PageRequest::of("ListUsers", &["/"], Some("not a marker"), None).is_err());
    }
}
