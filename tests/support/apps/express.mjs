// An application on express-session with connect-redis, where passport signs people in. Run by web_app.py beside the packages that it fetched.
// Environment: APP_REDIS (port), APP_FOLDER. Prints its URL once it listens; ends on SIGTERM.
import { existsSync, writeFileSync } from "node:fs";
import RedisStore from "connect-redis";
import express from "express";
import session from "express-session";
import passport from "passport";
import { createClient } from "redis";

const folder = process.env.APP_FOLDER;
const client = createClient({ url: `redis://127.0.0.1:${process.env.APP_REDIS}` });
client.on("error", () => {}); // it connects again by itself
await client.connect();

passport.serializeUser((user, done) => done(null, user.name));
passport.deserializeUser((name, done) => done(null, { name }));

const app = express();
app.use(session({ store: new RedisStore({ client }), secret: "cookie-secret", resave: false, saveUninitialized: true }));
app.use(passport.session());

// The password is the name: whose session it becomes is what matters here. passport gives it a new id.
app.post("/sign-in", express.urlencoded({ extended: false }), (request, response, next) => {
    if (request.body.password !== request.body.user) return response.status(403).end();
    request.logIn({ name: request.body.user }, (error) => error ? next(error) : response.end("welcome"));
});
app.get("/who", (request, response) => request.user ? response.end(request.user.name) : response.status(401).end("nobody"));
app.get("/slow", async (request, response) => {
    if (!request.user) return response.status(401).end("nobody");
    writeFileSync(`${folder}/began`, "");
    while (!existsSync(`${folder}/release`)) await new Promise((done) => setTimeout(done, 10));
    request.session.slow = Date.now(); // changed: express-session writes it at the end
    response.end(request.user.name);
});
const server = app.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.on("SIGTERM", () => process.exit(0));
