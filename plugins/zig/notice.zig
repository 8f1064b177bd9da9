//! Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
//! notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

const std = @import("std");
const tidegate = @import("tidegate");

pub fn handle(event: tidegate.Event) !tidegate.Answer {
    const asset = event.asset orelse return tidegate.nothing;
    if (!event.is("asset.update")) return tidegate.nothing;
    const loanee = try loaneeOf(asset) orelse return tidegate.nothing;
    const url = event.setting("notice_url") orelse
        return tidegate.refuse(.{ .park = "the setting `notice_url` is missing: say where notices go" });
    const notice = .{
        .text = try join(&.{ try title(asset), " is on loan to ", loanee }),
        .asset = asset.id orelse event.subject,
        .receipt = event.receipt,
    };
    return tidegate.decide(&.{try tidegate.postJson(url, notice)});
}

/// The name of who has the asset, when this event says that somebody has.
fn loaneeOf(asset: tidegate.Asset) !?tidegate.Text {
    const loanee = asset.loanee orelse return null;
    if (tidegate.given(loanee.name)) |name| return name;
    const id = tidegate.given(loanee.id) orelse return null;
    return try join(&.{ "person ", id });
}

/// `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
fn title(asset: tidegate.Asset) !tidegate.Text {
    const name = tidegate.given(asset.name) orelse "An asset";
    const asset_type = asset.asset_type orelse return name;
    const kind = tidegate.given(asset_type.name) orelse return name;
    return join(&.{ name, " (", kind, ")" });
}

fn join(parts: []const tidegate.Text) !tidegate.Text {
    return std.mem.concat(tidegate.memory, u8, parts);
}
