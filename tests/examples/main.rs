//! The examples do what they say. They are part of this program, so that what is run is what is there.

#[path = "../../examples/object.rs"]
mod object;
#[path = "../../examples/tasks.rs"]
mod tasks;

#[test]
fn an_object_of_ones_own_is_found_and_called() {
    object::main().expect("it ends well");
}

#[test]
fn a_task_of_ones_own_is_tried_again_and_told_about() {
    tasks::main().expect("it ends well");
}
