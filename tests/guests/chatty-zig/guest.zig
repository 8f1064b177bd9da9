//! A plugin that prints as Zig programs do, more than a stream takes at once.

const std = @import("std");
const tidegate = @import("tidegate");

pub fn handle(event: tidegate.Event) !tidegate.Answer {
    var text = std.array_list.Managed(u8).init(tidegate.memory);
    try text.print("told of {s}\n", .{event.kind});
    for (0..100) |line| try text.print("{d:0>99}\n", .{line});
    _ = std.c.write(1, text.items.ptr, text.items.len);
    std.debug.print("and that is {s}\n", .{"all"});
    return tidegate.decide(&.{.{ .note = "printed" }});
}
