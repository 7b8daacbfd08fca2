//! The examples work. They are compiled into this program, so that the files themselves are run.

#[path = "../../examples/object.rs"]
mod object;
#[path = "../../examples/tasks.rs"]
mod tasks;

#[test]
fn a_custom_object_is_found_and_called() {
    object::main().expect("it ends well");
}

#[test]
fn a_custom_task_is_retried_and_reported() {
    tasks::main().expect("it ends well");
}
