-- Drop view user_answers, which the files do not have.
--   locks out readers: user_answers
DROP VIEW user_answers;

-- Drop view session_answers, which the files do not have.
--   locks out readers: session_answers
DROP VIEW session_answers;
