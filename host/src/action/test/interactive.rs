//! `interactive` tests: scripts that are typed on a connection.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use regex::bytes::Regex;
use tokio::io::AsyncReadExt as _;

use crate::action::boot_uboot::drive_fault;
use crate::action::shell::patterns;
use crate::board::Board;
use crate::dialog::{Answer, Exchange, ExchangeSettings};
use crate::event::{EventKind, ScriptKind, StepId, TestResult};
use crate::fault::{Class, Fault};
use crate::group::{Released, Request};
use crate::job::{GroupRequest, InteractiveAction, InteractiveCommand, InteractiveScript, InteractiveStep};
use crate::limit::Limit;
use crate::link::{Console, drive};
use crate::plan::TestLine;
use crate::run::{NodeContext, Phase, Resources};

use super::board_directory::await_prompt;
use super::case_book::{Report, ResultRules};
use super::reported::Reported;

/// Bytes that are kept while a step only waits.
const MAX_UNREAD: usize = 64 << 10;

/// Runs the scripts, one after the other.
pub(crate) async fn interactive(
    node: &NodeContext,
    phase: &Phase,
    test: &TestLine<InteractiveScript>,
    resources: &mut Resources,
) -> Result<(), Fault> {
    let board = node.own_board(phase)?;
    let mut values = resources.space().values.clone();
    values.insert("JOB_ID".to_owned(), node.id.clone());
    if let Some(services) = node.run.networks.services(board) {
        values.entry("SERVER_IP".to_owned()).or_insert_with(|| services.address.to_string());
    }
    let Some(line) = resources.space().line.as_mut() else {
        return Err(resources.unconnected(phase, "there is nobody to talk to"));
    };
    if line.owes_prompt {
        await_prompt(phase, &mut line.console, &line.prompts).await?;
        line.owes_prompt = false;
    }
    for script in &test.items {
        let name = format!("{}_{}", test.stage, script.name);
        let rules = ResultRules { expected: script.expected.clone(), ..ResultRules::default() };
        let mut reported = Reported::begin(node, phase, &name, &rules);
        let prompts = patterns(phase, &script.prompts)?;
        let mut typist = Typist { node, phase, board, script, prompts, values: &mut values };
        let result = typist.run(&mut line.console, &mut reported).await;
        reported.end_as(&result);
        result?;
    }
    Ok(())
}

/// Types one script.
struct Typist<'a> {
    node: &'a NodeContext,
    phase: &'a Phase,
    board: &'a Board,
    script: &'a InteractiveScript,
    prompts: Vec<Regex>,
    /// What `{NAME}` stands for.
    values: &'a mut BTreeMap<String, String>,
}

impl Typist<'_> {
    async fn run(&mut self, console: &mut Console, reported: &mut Reported<'_>) -> Result<(), Fault> {
        for (step, number) in self.script.steps.iter().zip(1..) {
            let command = self.describe(step);
            let id = StepId { script: ScriptKind::Run, number };
            let definition = reported.definition().to_owned();
            self.node.emitter.emit(EventKind::StepStarted { definition, step: id, command });
            match &step.action {
                InteractiveAction::Delay(time) => self.wait(console, *time).await?,
                InteractiveAction::Group { request, words } => {
                    let asked = console.listen_while(self.ask_group(step, *request, words)).await;
                    let result = if asked.is_ok() { TestResult::Pass } else { TestResult::Fail };
                    let comment = asked.as_ref().err().map(|fault| fault.message.as_str());
                    self.report(step, result, comment, reported);
                    asked?;
                }
                InteractiveAction::Command(command) => {
                    self.exchange(console, step, command, reported).await?;
                }
            }
        }
        Ok(())
    }

    /// What a step does, for the log: as it is written, since the values may be secret.
    fn describe(&self, step: &InteractiveStep) -> String {
        match &step.action {
            InteractiveAction::Delay(time) => format!("delay {} s", time.as_secs()),
            InteractiveAction::Group { request, words } => format!("{} {words}", request.name()),
            InteractiveAction::Command(command) => {
                command.text.clone().unwrap_or_else(|| "(waits)".to_owned())
            }
        }
    }

    /// Lets time pass; what comes meanwhile is there for the next step.
    async fn wait(&self, console: &mut Console, time: Duration) -> Result<(), Fault> {
        let part = self.phase.part(Some(&Limit::new(time, "`delay` of a step")));
        let (mut kept, mut buffer) = (Vec::new(), [0; 4096]);
        let end = loop {
            match tokio::time::timeout_at(part.deadline, console.read(&mut buffer)).await {
                Err(_) => break Ok(()),
                Ok(Ok(0)) => break Err("the connection was closed by the other side".to_owned()),
                Ok(Err(error)) => break Err(format!("the connection failed: {error}")),
                Ok(Ok(count)) => {
                    kept.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    let excess = kept.len().saturating_sub(MAX_UNREAD);
                    kept.drain(..excess);
                }
            }
        };
        console.unread(&kept);
        end.map_err(|text| self.phase.fault(Class::Infrastructure, text))
    }

    /// Asks something of the group; the values of its answer can be named by the steps that follow.
    async fn ask_group(
        &mut self,
        step: &InteractiveStep,
        request: GroupRequest,
        words: &str,
    ) -> Result<(), Fault> {
        let fault = |class, text| Fault::new(class, format!("{} ({})", self.phase.place, step.place), text);
        let request = to_request(request, &self.fill(words));
        let what = request.to_string();
        match tokio::time::timeout_at(self.phase.deadline, self.node.member.call(request)).await {
            Ok(Ok(Released { messages })) => {
                self.values.extend(messages.into_iter().map(|(_, key, value)| (key, value)));
                Ok(())
            }
            Ok(Err(refusal)) => Err(fault(self.node.member.refusal_class(), refusal.to_string())),
            Err(_) => {
                let text = format!("`{what}` was not answered in time (at most {})", self.phase.limit);
                Err(fault(Class::Infrastructure, text))
            }
        }
    }

    /// `text` with the values of earlier steps and of the boot; names that have none stay, as in LAVA.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let name = after.split_once('}').map(|(name, _)| name);
            // `${name}` is a variable of U-Boot's or of a shell.
            let value = name.filter(|_| !before.ends_with('$')).and_then(|name| self.values.get(name));
            match (name, value) {
                (Some(name), Some(value)) => {
                    filled.push_str(value);
                    rest = after.get(name.len() + 1..).unwrap_or_default();
                }
                _ => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled + rest
    }

    async fn exchange(
        &mut self,
        console: &mut Console,
        step: &InteractiveStep,
        command: &InteractiveCommand,
        reported: &mut Reported<'_>,
    ) -> Result<(), Fault> {
        let failures: Vec<String> = command.failures.iter().map(|failure| failure.message.clone()).collect();
        let loader = self.board.uboot.as_ref();
        let settings = ExchangeSettings {
            command: command.text.as_deref().map(|text| self.fill(text)),
            character_delay: loader.map(|uboot| uboot.character_delay).unwrap_or_default(),
            discard_echo: self.script.discard_echo,
            prompts: self.prompts.clone(),
            successes: patterns(self.phase, &command.successes)?,
            failures: patterns(self.phase, &failures)?,
            wait_for_prompt: command.wait_for_prompt,
        };
        let answer = drive(console, Exchange::new(settings, self.phase.end(), Instant::now())).await;
        // Who does not answer has not done what the test asks for.
        let answer = answer
            .map_err(|error| drive_fault(self.phase, console, Some(self.board), &error, |_| Class::Test));
        let answer = match answer {
            Ok(answer) => answer,
            Err(fault) => {
                self.report(step, TestResult::Fail, Some("it did not answer in time"), reported);
                return Err(fault);
            }
        };
        let (result, comment, fault) = self.judge(step, command, answer);
        self.report(step, result, comment.as_deref(), reported);
        fault.map_or(Ok(()), Err)
    }

    /// What an answer means: the result, a word about it, and the fault that ends the script.
    fn judge(
        &mut self,
        step: &InteractiveStep,
        command: &InteractiveCommand,
        answer: Answer,
    ) -> (TestResult, Option<String>, Option<Fault>) {
        let (comment, class, error) = match answer {
            Answer::Prompt => return (TestResult::Pass, None, None),
            Answer::Success(groups) => {
                self.values.extend(groups);
                return (TestResult::Pass, None, None);
            }
            Answer::Unanswered => ("the prompt came, and no success before it".to_owned(), None, None),
            Answer::Failure(index, found) => {
                let failure = command.failures.get(index);
                let error = failure.and_then(|failure| failure.error.clone());
                (format!("it said {found:?}"), failure.and_then(|failure| failure.class), error)
            }
        };
        // A step without a name has no result: its failure is that of the script.
        let class = class.or(step.name.is_none().then_some(Class::Test));
        let fault = class.map(|class| {
            let what = command.text.as_deref().map_or("waiting".to_owned(), |text| format!("`{text}`"));
            let text = error.map_or_else(
                || format!("{what} failed: {comment}"),
                |error| format!("{error}: {what} failed: {comment}"),
            );
            Fault::new(class, format!("{} ({})", self.phase.place, step.place), text)
        });
        (TestResult::Fail, Some(comment), fault)
    }

    fn report(
        &self,
        step: &InteractiveStep,
        result: TestResult,
        comment: Option<&str>,
        reported: &mut Reported<'_>,
    ) {
        let Some(id) = &step.name else { return };
        let result = result.name();
        reported.case(Report { id, result, measurement: None, units: None, reference: None }, comment);
    }
}

/// `id key=value …`, `id role=ROLE` or `id`; these forms were checked when the job was read.
fn to_request(request: GroupRequest, words: &str) -> Request {
    let mut words = words.split_whitespace();
    let id = words.next().unwrap_or_default().to_owned();
    let pairs = words.filter_map(|word| word.split_once('='));
    match request {
        GroupRequest::Send => {
            let data = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            Request::Send { id, data }
        }
        GroupRequest::Wait => Request::Wait { id },
        GroupRequest::WaitAll => {
            let role = pairs.filter(|(key, _)| *key == "role").map(|(_, role)| role.to_owned()).next();
            Request::WaitAll { id, role }
        }
        GroupRequest::Sync => Request::Sync { id },
    }
}
