//! The read models, one file each.

mod benefits;
mod forms;
mod partners;
mod programs;
mod segments;
mod standings;
mod submissions;
mod tier_history;

pub use benefits::Benefits;
pub use forms::Forms;
pub use partners::Partners;
pub use programs::Programs;
pub use segments::Segments;
pub use standings::Standings;
pub use submissions::Submissions;
pub use tier_history::TierHistory;

/// Names of all read models.
pub const NAMES: [&str; 8] = [
    "partners",
    "standings",
    "tier_history",
    "programs",
    "forms",
    "submissions",
    "segments",
    "benefits",
];

/// Calls a generic function with the model of a name: `with_model!(name, M => f::<M>(…))`. Gives
/// `None` for a name that no model has.
macro_rules! with_model {
    ($name:expr, $model:ident => $body:expr) => {
        match $name {
            "partners" => {
                type $model = $crate::models::Partners;
                Some($body)
            }
            "standings" => {
                type $model = $crate::models::Standings;
                Some($body)
            }
            "tier_history" => {
                type $model = $crate::models::TierHistory;
                Some($body)
            }
            "programs" => {
                type $model = $crate::models::Programs;
                Some($body)
            }
            "forms" => {
                type $model = $crate::models::Forms;
                Some($body)
            }
            "submissions" => {
                type $model = $crate::models::Submissions;
                Some($body)
            }
            "segments" => {
                type $model = $crate::models::Segments;
                Some($body)
            }
            "benefits" => {
                type $model = $crate::models::Benefits;
                Some($body)
            }
            _ => None,
        }
    };
}
pub(crate) use with_model;
