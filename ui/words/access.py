"""Words of the token, the read-only mode, the log-in, and of a server that others can reach."""

from scalp_core.errors import Text

WORDS = {
    "access_token": Text("Access token", "접근 토큰"),
    "access_token_help": Text(
        "The value of SCALP_TOKEN on the server. It counts for this tab.",
        "서버의 SCALP_TOKEN 값이에요. 이 탭에서만 유효해요.",
    ),
    "access_wrong": Text("That is not the token of this server.", "이 서버의 토큰이 아니에요."),
    "access_needed": Text(
        "Changes need the access token; enter it in the sidebar.", "변경하려면 사이드바에 접근 토큰을 입력하세요."
    ),
    "access_read_only": Text(
        "Read-only: nothing can be changed on this server.", "읽기 전용 서버예요. 아무것도 변경할 수 없어요."
    ),
    "access_exposed": Text(
        "Anyone who reaches this server can train, promote and import: it listens beyond this machine, without a token. "
        "Set SCALP_TOKEN, or SCALP_READ_ONLY=1.",
        "이 서버에 접속할 수 있는 누구나 학습, 지정, 가져오기를 할 수 있어요. 토큰 없이 외부에 열려 있어요. "
        "SCALP_TOKEN이나 SCALP_READ_ONLY=1을 설정하세요.",
    ),
    "login_title": Text("Log in", "로그인"),
    "login_needed": Text("Log in to see the pages of this server.", "이 서버의 화면을 보려면 로그인하세요."),
    "login_with": Text("Log in with {provider}", "{provider} 계정으로 로그인"),
    "login_refused": Text(
        "This account may not use this server. Log out and use another one, or have it added to SCALP_ALLOWED_USERS.",
        "이 계정으로는 이 서버를 사용할 수 없어요. 로그아웃하고 다른 계정을 쓰거나, 운영자에게 SCALP_ALLOWED_USERS에 "
        "추가해 달라고 하세요.",
    ),
    "logout": Text("Log out", "로그아웃"),
}
