//! The regions of the `aws` partition, with their codes and console names.

/// A region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The code, for example `ap-south-1`.
    pub code: &'static str,
    /// The name, for example `Asia Pacific (Mumbai)`.
    pub name: &'static str,
}

/// The region with this code, if it exists.
pub fn region(code: &str) -> Option<&'static Region> {
    REGIONS.iter().find(|region| region.code == code)
}

/// Every region of the partition, in the console's order.
pub const REGIONS: &[Region] = &[
    Region {
        code: "us-east-1",
        name: "US East (N. Virginia)",
    },
    Region {
        code: "us-east-2",
        name: "US East (Ohio)",
    },
    Region {
        code: "us-west-1",
        name: "US West (N. California)",
    },
    Region {
        code: "us-west-2",
        name: "US West (Oregon)",
    },
    Region {
        code: "af-south-1",
        name: "Africa (Cape Town)",
    },
    Region {
        code: "ap-east-1",
        name: "Asia Pacific (Hong Kong)",
    },
    Region {
        code: "ap-east-2",
        name: "Asia Pacific (Taipei)",
    },
    Region {
        code: "ap-northeast-1",
        name: "Asia Pacific (Tokyo)",
    },
    Region {
        code: "ap-northeast-2",
        name: "Asia Pacific (Seoul)",
    },
    Region {
        code: "ap-northeast-3",
        name: "Asia Pacific (Osaka)",
    },
    Region {
        code: "ap-south-1",
        name: "Asia Pacific (Mumbai)",
    },
    Region {
        code: "ap-south-2",
        name: "Asia Pacific (Hyderabad)",
    },
    Region {
        code: "ap-southeast-1",
        name: "Asia Pacific (Singapore)",
    },
    Region {
        code: "ap-southeast-2",
        name: "Asia Pacific (Sydney)",
    },
    Region {
        code: "ap-southeast-3",
        name: "Asia Pacific (Jakarta)",
    },
    Region {
        code: "ap-southeast-4",
        name: "Asia Pacific (Melbourne)",
    },
    Region {
        code: "ap-southeast-5",
        name: "Asia Pacific (Malaysia)",
    },
    Region {
        code: "ap-southeast-6",
        name: "Asia Pacific (New Zealand)",
    },
    Region {
        code: "ap-southeast-7",
        name: "Asia Pacific (Thailand)",
    },
    Region {
        code: "ca-central-1",
        name: "Canada (Central)",
    },
    Region {
        code: "ca-west-1",
        name: "Canada West (Calgary)",
    },
    Region {
        code: "eu-central-1",
        name: "Europe (Frankfurt)",
    },
    Region {
        code: "eu-central-2",
        name: "Europe (Zurich)",
    },
    Region {
        code: "eu-north-1",
        name: "Europe (Stockholm)",
    },
    Region {
        code: "eu-south-1",
        name: "Europe (Milan)",
    },
    Region {
        code: "eu-south-2",
        name: "Europe (Spain)",
    },
    Region {
        code: "eu-west-1",
        name: "Europe (Ireland)",
    },
    Region {
        code: "eu-west-2",
        name: "Europe (London)",
    },
    Region {
        code: "eu-west-3",
        name: "Europe (Paris)",
    },
    Region {
        code: "il-central-1",
        name: "Israel (Tel Aviv)",
    },
    Region {
        code: "me-central-1",
        name: "Middle East (UAE)",
    },
    Region {
        code: "me-south-1",
        name: "Middle East (Bahrain)",
    },
    Region {
        code: "mx-central-1",
        name: "Mexico (Central)",
    },
    Region {
        code: "sa-east-1",
        name: "South America (São Paulo)",
    },
];
