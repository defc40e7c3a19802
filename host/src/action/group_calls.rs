//! Requests to the group that a job's actions make: `protocols: lava-multinode`.

use std::net::IpAddr;

use crate::fault::{Class, Fault};
use crate::group::{Released, Request};
use crate::job::{GroupRequest, Moment, ProtocolCall};
use crate::plan::Step;
use crate::run::{NodeContext, Phase, Resources};

/// Makes the requests of a step that are due at `moment`, in their order, and keeps the values that the job takes from
/// their answers.
pub(crate) async fn call_group(
    node: &NodeContext,
    phase: &Phase,
    step: &Step,
    moment: Moment,
    resources: &mut Resources,
) -> Result<(), Fault> {
    for call in step.calls.iter().filter(|call| call.moment() == moment) {
        let released = resources.listen_while(perform(node, phase, call)).await?;
        for (key, value) in &call.message {
            if value.starts_with('$') {
                let value = find_value(call, &released, key)?;
                resources.messages.insert((call.message_id.clone(), key.clone()), value);
            }
        }
    }
    Ok(())
}

/// Makes one call and waits for its answer.
async fn perform(node: &NodeContext, phase: &Phase, call: &ProtocolCall) -> Result<Released, Fault> {
    let id = call.message_id.clone();
    let request = match call.request {
        GroupRequest::Send => Request::Send { id, data: call.message.clone() },
        GroupRequest::Wait => Request::Wait { id },
        GroupRequest::WaitAll => Request::WaitAll { id, role: call.role.clone() },
        GroupRequest::Sync => Request::Sync { id },
    };
    let what = request.to_string();
    let place = format!("{} ({})", phase.place, call.place);
    let wait = phase.part(Some(&call.timeout));
    match tokio::time::timeout_at(wait.deadline, node.member.call(request)).await {
        Ok(Ok(released)) => Ok(released),
        Ok(Err(refusal)) => Err(Fault::new(node.member.refusal_class(), place, refusal)),
        Err(_) => Err(Fault::new(
            Class::Infrastructure,
            place,
            format!("`{what}` of action `{}` was not answered in time (at most {})", call.action, wait.limit),
        )),
    }
}

/// The value of `key` in the answer; LAVA takes that of the first sender.
fn find_value(call: &ProtocolCall, released: &Released, key: &str) -> Result<String, Fault> {
    released.messages.iter().find(|(_, found, _)| found == key).map(|(.., value)| value.clone()).ok_or_else(
        || {
            let keys: Vec<&str> = released.messages.iter().map(|(_, key, _)| key.as_str()).collect();
            let keys = if keys.is_empty() { "no data".to_owned() } else { keys.join(", ") };
            Fault::new(
                Class::Job,
                call.place.clone(),
                format!("message `{}` came without the key `{key}`: it has {keys}", call.message_id),
            )
        },
    )
}

impl Resources {
    /// The address that `host_id` and `host_key` name, from the answers of the deployment.
    pub(crate) fn host_address(&self, phase: &Phase, host_id: &str, host_key: &str) -> Result<IpAddr, Fault> {
        let text = self.messages.get(&(host_id.to_owned(), host_key.to_owned())).ok_or_else(|| {
            phase.fault(
                Class::Job,
                format!("no deployment of this role asked for key `{host_key}` of message `{host_id}`"),
            )
        })?;
        text.trim().parse().map_err(|_| {
            phase.fault(
                Class::Job,
                format!("message `{host_id}` has `{host_key}={text}`, which is not an IP address"),
            )
        })
    }
}
