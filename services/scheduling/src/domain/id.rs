//! Names of things: ids that cannot be taken for one another.

use std::fmt;

use uuid::Uuid;

use super::division::Code;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// 注册机构.
    AgencyId
);
id!(
    /// 确认点.
    PointId
);
id!(
    /// 任教学校.
    SchoolId
);
id!(
    /// 毕业学校.
    GraduateSchoolId
);
id!(
    /// 省级计划.
    PlanId
);
id!(
    /// 网报时间段.
    WindowId
);
id!(
    /// 现场确认预约.
    BookingId
);

/// Namespace of the ids of agencies.
const AGENCIES: Uuid = Uuid::from_u128(0x0d1a_6a3e_55c1_4f0e_8b7d_92e4_6f1b_7c20);

impl AgencyId {
    /// The one agency of a division: its stream is the claim that there is only one.
    pub fn of(division: Code) -> Self {
        Self(Uuid::new_v5(&AGENCIES, division.as_str().as_bytes()))
    }
}
