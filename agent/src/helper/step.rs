//! `lava-step`: by this a script says that it begins a step.
//!
//! The runner puts it between the steps of a definition. LAVA has nothing of the kind.

use protocol::helper::Call;

use crate::failure::Failure;
use crate::helper::Context;
use crate::helper::client;

pub(crate) const USAGE: &str = "NUMBER STATUS [SECONDS]";

/// Exits with STATUS, the last status of the step before, which the next step may ask for: also where nobody is told, as
/// in a script that is run by hand.
pub(crate) fn step(context: &Context<'_>) -> Result<u8, Failure> {
    let (step, status, timeout_s) = match context.arguments {
        [step, status] => (step.parse(), status.parse(), Ok(0)),
        [step, status, seconds] => (step.parse(), status.parse(), seconds.parse()),
        _ => return Err(Failure::Usage("number and status are missing")),
    };
    let (Ok(step), Ok(status), Ok(timeout_s)) = (step, status, timeout_s) else {
        return Err(Failure::Usage("NUMBER, STATUS and SECONDS are numbers"));
    };
    client::mention(context.invocation, &Call::Step { step, timeout_s });
    Ok(status)
}
