// A forum: its posts with title, tags and first picture, and the form for a new post.
import { act, byId, fill, h, morphInto } from "./dom.js";
import { filePicker } from "./files.js";
import { icon } from "./icons.js";
import { reactionCounts } from "./reactions.js";
import { ask } from "./socket.js";
import { say } from "./actions.js";
import { channelOf, store } from "./store.js";
import { written } from "./time.js";

const FORUM = 15;

let drawn = null; // the forum whose frame is drawn

export const isForum = (channel) => channel?.kind === FORUM;

// Show a forum's posts in place of the messages.
export function showForum(channel, posts) {
  document.body.setAttribute("data-forum", "");
  const place = byId("forum");
  place.hidden = false;
  if (drawn !== channel.id) {
    drawn = channel.id;
    fill(place, head(channel), h("div", { id: "new-post", hidden: true }), h("ol", { id: "posts", "aria-label": "Posts" }));
    place.scrollTop = 0;
  }
  byId("open-post-form").hidden = !channel.postable;
  byId("forum-count").textContent = posts.length === 1 ? "1 post" : `${posts.length} posts`;
  morphInto(byId("posts"), posts.length > 0 ? posts.map(card) : h("li", { class: "hint", "data-key": "none" }, "There are no posts yet."));
}

export function hideForum() {
  document.body.removeAttribute("data-forum");
  byId("forum").hidden = true;
  fill(byId("forum"));
  drawn = null;
}

function head(channel) {
  return h(
    "div",
    { id: "forum-head" },
    h("p", { id: "forum-count", role: "status" }),
    h("button", { type: "button", id: "open-post-form", class: "button primary", "data-act": "open-post-form", "data-channel": channel.id }, icon("plus", 18), "New post"),
  );
}

function card(post) {
  const state = [post.pinned && "Pinned", post.locked && "Locked", post.archived && "Closed"].filter(Boolean);
  return h(
    "li",
    { class: "post", "data-key": post.id, "data-unread": store.unread.has(post.id) },
    h(
      "div",
      { class: "post-about" },
      post.tags.length > 0 && h("p", { class: "tags" }, post.tags.map((tag) => h("span", { class: "tag" }, tag.emoji, tag.emoji && " ", tag.name))),
      h("h3", {}, h("button", { type: "button", class: "post-title", "data-act": "open-channel", "data-channel": post.id }, post.title)),
      h("p", { class: "post-excerpt" }, h("b", {}, post.author.name), ": ", post.excerpt || "(no text)"),
      h(
        "p",
        { class: "post-facts" },
        state.map((each) => h("span", { class: "post-state" }, each)),
        reactionCounts(post.reactions),
        h("span", {}, post.answers === 1 ? "1 answer" : `${post.answers} answers`),
        h("time", {}, written(post.at)),
      ),
    ),
    picture(post.picture),
  );
}

// The title opens the post, so the picture is no second button.
function picture(media) {
  if (!media) return null;
  return h(
    "div",
    { class: "post-picture", "data-spoiler": Boolean(media.spoiler) },
    h("img", { src: media.src, alt: media.spoiler ? "" : media.alt, loading: "lazy", decoding: "async" }),
    media.spoiler && h("span", { class: "spoiler-sign" }, "Spoiler"),
  );
}

act("open-post-form", () => {
  const place = byId("new-post");
  place.hidden = !place.hidden;
  if (place.hidden) return;
  const channel = channelOf(store.channel);
  fill(place, form(channel));
  byId("post-title").focus();
});

function form(channel) {
  const title = h("input", { id: "post-title", type: "text", class: "text-input", maxlength: "100", autocomplete: "off", required: true });
  const text = h("textarea", { id: "post-text", class: "text-input", rows: "3", maxlength: "2000" });
  const files = filePicker({ id: "post-files", describedBy: "post-files-label", most: 10 });
  const tags = channel.tags.map((tag) => h("label", { class: "tag-choice" }, h("input", { type: "checkbox", value: tag.id }), tag.emoji, tag.emoji && " ", tag.name));
  const submit = async (event) => {
    event.preventDefault();
    if (files.busy()) return say("A file is still being uploaded.");
    const chosen = [...event.target.querySelectorAll(".tag-choice input:checked")].map((each) => each.value);
    try {
      await ask("post", { channel: channel.id, title: title.value, text: text.value, tags: chosen, uploads: files.uploads() });
    } catch (error) {
      return say(error);
    }
    fill(byId("new-post"));
    byId("new-post").hidden = true;
    byId("open-post-form").focus();
  };
  return h(
    "form",
    { id: "post-form", on: { submit } },
    h("label", { for: "post-title" }, "Title"),
    title,
    h("label", { for: "post-text" }, "Text"),
    text,
    h("p", { id: "post-files-label", class: "form-label" }, "Pictures"),
    files.node,
    tags.length > 0 && h("fieldset", {}, h("legend", {}, channel.tag_required ? "Tags, at least one" : "Tags, up to five"), tags),
    h("div", { class: "buttons" }, h("button", { type: "submit", id: "send-post", class: "button success" }, "Post"), h("button", { type: "button", class: "button secondary", "data-act": "open-post-form" }, "Cancel")),
  );
}
