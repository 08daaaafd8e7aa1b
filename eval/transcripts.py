"""What does a conversation with the embedded model read like?

Plays ten conversations on the demo shop and writes them as Markdown, word for
word as they came: what was said, what was shown for a yes, what was answered.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from assistant.desk import Desk
from assistant.events import Answer, ApprovalWanted, Choices, Download, Failed


@dataclass(frozen=True)
class Script:
    """One conversation: who signs in, and what they say."""

    name: str
    title: str
    login: str
    says: tuple[str, ...]


SCRIPTS = (
    Script(
        "01-send-it-back",
        "Sending one thing back, in pieces",
        "lina",
        (
            "hi, something I ordered isn't right",
            "I'd like to send it back",
            "the second one",
            "the first thing in it, it arrived broken",
            "yes please",
            "when do I get the money?",
        ),
    ),
    Script(
        "02-two-wishes-at-once",
        "Two wishes in one message, and a change of mind",
        "lina",
        ("what hasn't been sent yet?", "cancel it, and how many points do I have", "hmm, no, keep it", "yes", "thanks!"),
    ),
    Script(
        "03-points-and-tier",
        "Points, a voucher and the way up",
        "lina",
        (
            "why did I get points for my latest order",
            "how do I get to platinum by the end of june",
            "turn 300 points into a voucher",
            "go ahead",
            "can I give the rest of my points to my brother",
        ),
    ),
    Script(
        "04-moved-house",
        "A new address, for good and for one order",
        "lina",
        (
            "we've moved to 22 Elm Grove, Bristol BS1 5TR",
            "ok",
            "and send my newest order there too: 22 Elm Grove, Bristol BS1 5TR",
            "yes",
        ),
    ),
    Script(
        "05-a-colleague-helps",
        "Support acts for a member",
        "support",
        (
            "who is waiting for us?",
            "how is M-10002 doing",
            "add 200 points for M-10002, his parcel was late",
            "yes",
            "give M-10002 900 points because the teapot came broken twice",
            "yes",
            "what did people write to us about this month",
        ),
    ),
    Script("06-退一件", "退货，一步一步说", "chenmo", ("我想退个东西", "第一个", "全部都退吧，用不上了", "先等等，退货运费谁出？", "那就退吧")),
    Script("07-生气", "生气了，要人工", "chenmo", ("我的包裹到哪了", "怎么每次都这样，你们太过分了！！！", "找人工", "谢谢")),
    Script(
        "08-改单",
        "改主意、换话题、再回来",
        "chenmo",
        ("我还有没发货的吗", "那单取消掉", "等等先别", "我有多少积分，什么时候过期", "用五百分换张券", "好的", "刚才那单还是取消了吧", "是的"),
    ),
    Script(
        "09-我的数据",
        "消息、语言和数据",
        "chenmo",
        ("以后别给我打电话了", "确认", "把我的资料导出来给我一份", "我想注销账户", "算了，不注销了", "信用卡的积分能在你们这儿查吗"),
    ),
    Script(
        "10-会员计划",
        "升级计划与优惠",
        "chenmo",
        ("明年六月底之前想升到铂金，每个月要花多少", "最近有什么活动给我", "我的优惠券哪张最划算", "一百块以内给我爸挑个茶具，不要玻璃的", "第一个有货吗"),
    ),
)


def play(desk: Desk, script: Script) -> str:
    """One conversation as Markdown."""
    caller = desk.caller_named(script.login)
    lines = [
        f"# {script.title}",
        "",
        f"Signed in as `{script.login}` on the demo shop; the shop's day is {desk.today.isoformat()}. Embedded model, no key.",
        "",
    ]
    thread: str | None = None
    for text in script.says:
        lines.append(f"**{'Colleague' if caller.role == 'support' else 'Member'}:** {text}\n")
        thread, told = asyncio.run(_said(desk, script, text, thread))
        lines += told
    return "\n".join(lines).rstrip() + "\n"


async def _said(desk: Desk, script: Script, text: str, thread: str | None) -> tuple[str | None, list[str]]:
    told: list[str] = []
    answer = ""
    async for event in desk.chat(desk.caller_named(script.login), text, thread):
        if isinstance(event, ApprovalWanted):
            told.append(f"> ▢ {event.text} `{event.yes}` `{event.no}`\n")
        elif isinstance(event, Choices):
            told.append("> " + " · ".join(f"`{choice}`" for choice in event.texts) + "\n")
        elif isinstance(event, Download):
            told.append(f"> ⭳ `{event.path}`\n")
        elif isinstance(event, Answer | Failed):
            answer = event.text
            thread = event.thread_id if isinstance(event, Answer) else thread
    quoted = "\n".join(f"> {line}" if line else ">" for line in answer.splitlines())
    return thread, [f"{quoted}\n", *told]


def write(desk: Desk, folder: Path) -> list[Path]:
    """Every conversation into its file; what one changes, the next one finds."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for script in SCRIPTS:
        path = folder / f"{script.name}.md"
        path.write_text(play(desk, script), encoding="utf-8")
        made.append(path)
    return made
