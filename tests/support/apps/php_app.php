<?php
// An application on PHP's own sessions, for PHP's built-in server. Where they are kept is said on its command line
// (session.save_handler, session.save_path). Environment: APP_FOLDER.
$folder = getenv('APP_FOLDER');
session_start();
$user = $_SESSION['user'] ?? null;
switch (strtok($_SERVER['REQUEST_URI'], '?')) {
case '/sign-in': // the password is the name: whose session it becomes is what matters here
    if (($_POST['password'] ?? '') !== ($_POST['user'] ?? null)) {
        http_response_code(403);
        return;
    }
    session_regenerate_id(true);
    $_SESSION['user'] = $_POST['user'];
    echo 'welcome';
    return;
case '/who':
    http_response_code($user === null ? 401 : 200);
    echo $user ?? 'nobody';
    return;
case '/slow':
    if ($user === null) {
        http_response_code(401);
        return;
    }
    touch("$folder/began");
    for (clearstatcache(); !file_exists("$folder/release"); clearstatcache())
        usleep(10000);
    $_SESSION['slow'] = time();
    echo $user;
    return;
default:
    http_response_code(404);
}
