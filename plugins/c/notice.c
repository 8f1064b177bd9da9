// Tells somebody that an asset is on loan: on `asset.update` with a loanee it asks the host to POST a short
// notice to the URL in its settings. Knows nothing of HTTP: the host makes the request.

#include "tidegate.h"

// Adds the name of who has the asset; says whether this event says that somebody has.
static bool write_loanee(tg_writer *writer, const tg_asset *asset) {
  tg_text name = tg_name_of(asset->loanee), id = tg_id_of(asset->loanee);
  if (name.len > 0) {
    tg_write_text(writer, name);
  } else if (id.len > 0) {
    tg_write(writer, "person ");
    tg_write_text(writer, id);
  }
  return name.len > 0 || id.len > 0;
}

// Adds `Spare-02 (2 in 3 Laptop)`, as far as the sender said.
static void write_title(tg_writer *writer, const tg_asset *asset) {
  tg_text name = tg_or(asset->name, tg("")), type = tg_name_of(asset->asset_type);
  tg_write_text(writer, name.len > 0 ? name : tg("An asset"));
  if (type.len > 0) {
    tg_write(writer, " (");
    tg_write_text(writer, type);
    tg_write(writer, ")");
  }
}

void handle(const tg_event *event, tg_answer *answer) {
  const tg_asset *asset = tg_asset_of(event);
  if (!tg_is(event->kind, "asset.update") || !asset) return;
  tg_writer loanee = {0};
  if (!write_loanee(&loanee, asset)) return;
  tg_text url = tg_setting(event, "notice_url");
  if (url.len == 0) {
    tg_park(answer, tg("the setting `notice_url` is missing: say where notices go"));
    return;
  }
  tg_writer text = {0}, json = {0};
  write_title(&text, asset);
  tg_write(&text, " is on loan to ");
  tg_write_text(&text, loanee.text);
  tg_write(&json, "{\"text\":");
  tg_write_json(&json, text.text);
  tg_write(&json, ",\"asset\":");
  tg_write_json(&json, tg_or(asset->id, event->subject));
  tg_write(&json, ",\"receipt\":");
  tg_write_json(&json, event->receipt);
  tg_write(&json, "}");
  tg_post_json(answer, url, json.text);
}
