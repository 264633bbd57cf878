//! S3's routes: which operation of S3's model a request calls, and which parameters it accepts.
//!
//! Invariant: a request is routed to the most specific operation whose requirements it meets, so a
//! request with a sub-resource never matches the plain operation. Which operations the server
//! implements is not known here.

/// What a request's path refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The account.
    Service,
    /// A bucket.
    Bucket,
    /// An object in a bucket.
    Object,
}

/// An operation of S3's model.
#[derive(Debug)]
pub struct Route {
    /// The operation's name.
    pub operation: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// What the path refers to.
    pub level: Level,
    /// The query parameters that the operation requires, some with a fixed value.
    pub required: &'static [(&'static str, Option<&'static str>)],
    /// Other query parameters.
    pub optional: &'static [&'static str],
    /// The operation's headers that start with `x-amz-`. A name that ends in a hyphen is a prefix.
    pub headers: &'static [&'static str],
}

/// The header that turns an upload into a copy.
const COPY_SOURCE: &str = "x-amz-copy-source";

impl Route {
    /// Routes a request. `query` is decoded; `has` returns whether a header is present.
    pub fn of(
        (method, level): (&str, Level),
        query: &[(String, String)],
        has: impl Fn(&str) -> bool,
    ) -> Option<&'static Self> {
        let copies = has(COPY_SOURCE);
        let candidates = crate::s3::ROUTES.iter().filter(|route| {
            let place = route.method == method && route.level == level;
            place && (copies || !route.copies()) && route.has_all(query)
        });
        // If two are equally specific, take the first. Either one does not know what makes the
        // request the other.
        candidates
            .rev()
            .max_by_key(|route| route.required.len() + usize::from(route.copies()))
    }

    /// Whether the operation accepts this query parameter.
    pub fn has_parameter(&self, name: &str) -> bool {
        self.required.iter().any(|(known, _)| *known == name) || self.optional.contains(&name)
    }

    /// Whether the operation accepts this header.
    pub fn has_header(&self, name: &str) -> bool {
        let is = |known: &str| match known.ends_with('-') {
            true => name.len() > known.len() && name.starts_with(known),
            false => name == known,
        };
        self.headers.iter().any(|known| is(known))
    }

    fn copies(&self) -> bool {
        matches!(self.operation, "CopyObject" | "UploadPartCopy")
    }

    fn has_all(&self, query: &[(String, String)]) -> bool {
        self.required.iter().all(|(name, value)| {
            let mut given = query.iter().filter(|(given, _)| given == name);
            given.any(|(_, given)| value.is_none_or(|value| value == given))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Level, Route};

    /// The operation for a line `METHOD level query…`; `copy` in the query stands for the header.
    fn of(line: &str) -> Option<&'static str> {
        let mut words = line.split(' ');
        let method = words.next()?;
        let level = match words.next()? {
            "service" => Level::Service,
            "bucket" => Level::Bucket,
            _ => Level::Object,
        };
        let (headers, query): (Vec<_>, Vec<_>) = words.partition(|word| *word == "copy");
        let query: Vec<_> = query
            .iter()
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let route = Route::of((method, level), &query, |_| !headers.is_empty())?;
        Some(route.operation)
    }

    #[test]
    fn the_most_specific_operation_is_meant() {
        for (line, expected) in [
            ("GET service", Some("ListBuckets")),
            ("GET bucket", Some("ListObjects")),
            ("GET bucket list-type=2", Some("ListObjectsV2")),
            ("GET bucket list-type=3", Some("ListObjects")),
            ("GET bucket abac", Some("GetBucketAbac")),
            (
                "GET bucket lifecycle",
                Some("GetBucketLifecycleConfiguration"),
            ),
            (
                "GET bucket metrics",
                Some("ListBucketMetricsConfigurations"),
            ),
            (
                "GET bucket metrics id=a",
                Some("GetBucketMetricsConfiguration"),
            ),
            ("GET bucket acl tagging", Some("GetBucketAcl")),
            ("PUT bucket abac", Some("PutBucketAbac")),
            (
                "DELETE bucket metadataConfiguration",
                Some("DeleteBucketMetadataConfiguration"),
            ),
            ("PUT object", Some("PutObject")),
            ("PUT object copy", Some("CopyObject")),
            ("PUT object encryption", Some("UpdateObjectEncryption")),
            ("PUT object partNumber=1", Some("PutObject")),
            ("PUT object partNumber=1 uploadId=a", Some("UploadPart")),
            (
                "PUT object partNumber=1 uploadId=a copy",
                Some("UploadPartCopy"),
            ),
            (
                "DELETE object annotation annotationName=a",
                Some("DeleteObjectAnnotation"),
            ),
            (
                "POST object select select-type=2",
                Some("SelectObjectContent"),
            ),
            ("POST object select select-type=3", None),
            ("POST bucket", None),
            ("DELETE service", None),
        ] {
            assert_eq!(of(line), expected, "{line}");
        }
    }

    #[test]
    fn only_what_the_model_says_belongs_to_an_operation() {
        let put = Route::of(("PUT", Level::Object), &[], |_| false).unwrap();
        for (header, expected) in [
            ("x-amz-tagging", true),
            ("x-amz-meta-a", true),
            ("x-amz-meta-", false),
            ("x-amz-copy-source", false),
            ("x-amz-other", false),
        ] {
            assert_eq!(put.has_header(header), expected, "{header}");
        }
        let get = Route::of(("GET", Level::Object), &[], |_| false).unwrap();
        assert!(get.has_parameter("response-expires") && !get.has_parameter("response-xyz"));
    }
}
