// What the script of every part of a panel begins with: it hears its kernel, however long the page took to load it.
//
// anywidget 0.11 gives a widget two seconds to load. On a page that is busy for longer, the widget is drawn all the same,
// but hears nothing that its kernel says, before or after.

const PROBE = { content: { data: { method: "none" } } };

async function keepHearing(model) {
  const own = await model.widget_manager.get_model(model.get("own_id"));
  if (!own?._handle_comm_msg) return; // no front end of Jupyter's
  const isDeaf = await own._handle_comm_msg(PROBE).then(
    () => false,
    () => true,
  );
  if (!isDeaf) return;
  const { _handle_comm_msg: handle } = Object.getPrototypeOf(own.constructor.prototype); // Jupyter's own, which waits for nothing
  own.comm.on_msg((message) => handle.call(own, message));
  model.send({ ask: "state" });
}
