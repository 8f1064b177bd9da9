;; One note whose text is not UTF-8.
(data (i32.const 1024) "\00\00\00\00\00\00\00\00\00\05\00\00\01\00\00\00")  ;; ok, list at 1280, 1 long
(data (i32.const 1280) "\04\00\00\00\00\00\00\00\00\06\00\00\04\00\00\00")  ;; note, text at 1536, 4 long
(data (i32.const 1536) "\ff\fe\c0\80")
(func (export "tidegate:plugin/handler@1.0.0#handle") (param i32) (result i32)
  (i32.const 1024))
