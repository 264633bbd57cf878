//! Where IAM and STS are, and in which region they are signed for.

use super::call::Service;

/// Where a service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Scheme and authority, without a slash at the end.
    pub(crate) url: String,
    /// The region of the signature.
    pub(crate) region: &'static str,
}

/// AWS's own endpoint of a service as seen from a region.
pub(crate) fn of_aws(service: Service, region: &'static str) -> Endpoint {
    let (suffix, home) = partition(region);
    let (url, region) = match service {
        Service::Iam if suffix == "amazonaws.com" && home == "us-east-1" => {
            (format!("https://iam.{suffix}"), home)
        }
        Service::Iam if home == "us-gov-west-1" => (format!("https://iam.us-gov.{suffix}"), home),
        Service::Iam => (format!("https://iam.{home}.{suffix}"), home),
        Service::Sts | Service::Keywright => (format!("https://sts.{region}.{suffix}"), region),
    };
    Endpoint { url, region }
}

/// A second STS, far from the first: a new key must be known to both.
pub(crate) fn second_sts(region: &'static str) -> Endpoint {
    let (_, home) = partition(region);
    let other = match (home, region) {
        ("us-east-1", "us-east-1") => "us-west-2",
        ("cn-north-1", "cn-north-1") => "cn-northwest-1",
        ("us-gov-west-1", "us-gov-west-1") => "us-gov-east-1",
        _ => home,
    };
    of_aws(Service::Sts, other)
}

/// The code of a region of any partition.
pub(crate) fn known(code: &str) -> Option<&'static str> {
    const OTHERS: [&str; 5] = [
        "cn-north-1",
        "cn-northwest-1",
        "us-gov-east-1",
        "us-gov-west-1",
        "eusc-de-east-1",
    ];
    let of_aws = keywright_base::region(code).map(|region| region.code);
    of_aws.or_else(|| OTHERS.into_iter().find(|other| *other == code))
}

/// The domain of a region's partition, and the region that its IAM is signed for.
fn partition(region: &str) -> (&'static str, &'static str) {
    if region.starts_with("cn-") {
        ("amazonaws.com.cn", "cn-north-1")
    } else if region.starts_with("us-gov-") {
        ("amazonaws.com", "us-gov-west-1")
    } else if region.starts_with("eusc-") {
        ("amazonaws.eu", "eusc-de-east-1")
    } else {
        ("amazonaws.com", "us-east-1")
    }
}

#[cfg(test)]
mod tests {
    use super::{of_aws, second_sts};
    use crate::aws::Service;

    #[test]
    fn endpoints_of_partitions() {
        for (region, iam, sts, second) in [
            (
                "us-east-1",
                "https://iam.amazonaws.com us-east-1",
                "https://sts.us-east-1.amazonaws.com us-east-1",
                "https://sts.us-west-2.amazonaws.com us-west-2",
            ),
            (
                "ap-south-1",
                "https://iam.amazonaws.com us-east-1",
                "https://sts.ap-south-1.amazonaws.com ap-south-1",
                "https://sts.us-east-1.amazonaws.com us-east-1",
            ),
            (
                "cn-north-1",
                "https://iam.cn-north-1.amazonaws.com.cn cn-north-1",
                "https://sts.cn-north-1.amazonaws.com.cn cn-north-1",
                "https://sts.cn-northwest-1.amazonaws.com.cn cn-northwest-1",
            ),
            (
                "us-gov-east-1",
                "https://iam.us-gov.amazonaws.com us-gov-west-1",
                "https://sts.us-gov-east-1.amazonaws.com us-gov-east-1",
                "https://sts.us-gov-west-1.amazonaws.com us-gov-west-1",
            ),
        ] {
            let shown = |endpoint: super::Endpoint| format!("{} {}", endpoint.url, endpoint.region);
            assert_eq!(shown(of_aws(Service::Iam, region)), iam);
            assert_eq!(shown(of_aws(Service::Sts, region)), sts);
            assert_eq!(shown(second_sts(region)), second);
        }
    }
}
