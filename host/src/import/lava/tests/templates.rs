//! LAVA's templates, rendered within bounds.

use super::{bench, errors, example, import_text, options_without_type, problems};
use crate::board::ConsoleTarget;
use crate::diagnostic::Source;
use crate::import::lava::{Options, import};
use crate::link::Target;

#[test]
fn templates_are_rendered_and_boards_of_one_type_share_its_file() {
    let options = Options { templates: vec![example("device-types")], ..options_without_type() };
    let device = Source::read(&example("lab-board-01.jinja2")).unwrap();
    let second =
        Source::new("lab-board-02.jinja2", device.text.replace("7001", "7011").replace(".21'", ".22'"));
    let other = second.text.replace("7011", "7021").replace(".22'", ".23'").replace("panic=5", "debug");
    let third = Source::new("lab-board-03.jinja2", other);
    let imported = import(&[device, second, third], &options);
    assert!(errors(&imported).is_empty(), "{}", problems(&imported));
    let names: Vec<_> = imported.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["bench.toml", "lab-board.toml", "lab-board-lab-board-03.toml"]);
    let bench = bench(&imported);
    let types: Vec<_> = bench.boards.iter().map(|board| board.board_type.as_str()).collect();
    assert_eq!(types, ["lab-board", "lab-board", "lab-board-lab-board-03"]);
    let board = &bench.boards[0];
    assert_eq!(board.device_types, ["lab-board"]);
    assert_eq!(board.console, ConsoleTarget::Line(Target::Telnet { host: "ser1".to_owned(), port: 7001 }));
    assert_eq!(board.power.as_ref().unwrap().commands().unwrap().reset.len(), 2);
    let uboot = board.uboot.as_ref().unwrap();
    assert_eq!(uboot.prompts, [r"(?:Lab-Board)\S* ?[>#$%:]"]);
    assert!(uboot.commands["nfs"].iter().any(|line| line.ends_with("ip=dhcp panic=5'")));
    assert_eq!(board.linux_console.device, "ttyS2");
}

#[test]
fn templates_are_bounded_and_read_nothing_outside_their_directories() {
    let directory = tempfile::tempdir().unwrap();
    let templates = directory.path().join("types");
    std::fs::create_dir(&templates).unwrap();
    std::fs::write(directory.path().join("secret.jinja2"), "root").unwrap();
    std::fs::write(templates.join("base.jinja2"), "{% block a %}{% endblock %}").unwrap();
    std::fs::write(templates.join("bad.jinja2"), "x\n{{ a.b.c }}\n").unwrap();
    std::fs::write(templates.join("self.jinja2"), "{% include 'self.jinja2' %}").unwrap();
    std::os::unix::fs::symlink("../secret.jinja2", templates.join("link.jinja2")).unwrap();
    let options = Options { templates: vec![templates], ..options_without_type() };
    let told = |text: &str| {
        let imported = import_text("d.jinja2", text, &options);
        assert!(imported.files.is_empty());
        let reported = &imported.reported[0];
        let problem = &reported.problems[0];
        format!("{} {}: {}", reported.source.place(problem.span()), problem.code, problem.message)
    };
    assert_eq!(
        told("{% extends '../secret.jinja2' %}"),
        "d.jinja2:1:4 import-template: `../secret.jinja2` is not below the directory of the templates"
    );
    assert!(told("{% extends 'link.jinja2' %}").contains("leads out of the directories of the templates"));
    assert!(told("\n{% extends 'none.jinja2' %}").starts_with("d.jinja2:2:4 import-template:"));
    assert_eq!(
        told("{% extends 'bad.jinja2' %}"),
        "bad.jinja2:2:4 import-template: undefined value: `a` is undefined"
    );
    assert!(told("{% extends 'base.jinja2' %}\n{% set a = %}").starts_with("d.jinja2:2:12 import-template:"));
    let endless = "{% extends 'base.jinja2' %}{% block a %}{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}{% endblock %}";
    assert!(told(endless).contains("ran out of fuel"));
    let doubling = "{% extends 'base.jinja2' %}{% block a %}{% set n = namespace(x='xxxx') %}{% for i in range(64) %}{% set n.x = n.x ~ n.x %}{% endfor %}{% endblock %}";
    assert!(told(doubling).contains("ran out of fuel"));
    assert!(
        told("{% extends 'base.jinja2' %}{% block a %}{% include 'self.jinja2' %}{% endblock %}")
            .contains("import-template")
    );
}
